# shellcheck shell=bash
# Loads example data through the API, once for each state of the files.

EXAMPLES_DIR=$ROOT_DIR/examples/dots
EXAMPLE_ROWS_PER_REQUEST=100

# The manifest names entity and file, one pair a line, in the order in which they refer to each
# other.
load_examples() {
    local stamp entity file
    if [[ ! -f $EXAMPLES_DIR/manifest ]]; then return; fi
    stamp=$(cat "$EXAMPLES_DIR/manifest" "$EXAMPLES_DIR"/*.ndjson | sha256sum)
    if [[ $(cat "$RUN_DIR/examples.stamp" 2>/dev/null) == "$stamp" ]]; then return; fi
    step "loading the example data"
    while read -r entity file; do
        if [[ -n $entity && $entity != '#'* ]]; then load_entity "$entity" "$file"; fi
    done <"$EXAMPLES_DIR/manifest"
    printf '%s\n' "$stamp" >"$RUN_DIR/examples.stamp"
}

load_entity() {
    local entity=$1 file=$2 rows start answer
    local -a lines
    mapfile -t lines < <(grep -v '^[[:space:]]*$' "$EXAMPLES_DIR/$file")
    for ((start = 0; start < ${#lines[@]}; start += EXAMPLE_ROWS_PER_REQUEST)); do
        rows=$(IFS=,; printf '%s' "${lines[*]:start:EXAMPLE_ROWS_PER_REQUEST}")
        answer=$(curl --silent --show-error --fail-with-body --max-time 60 \
            --header 'Content-Type: application/json' \
            --header 'Prefer: resolution=ignore-duplicates,return=minimal' \
            --data-binary @- "$GATEWAY_URL/v1/dots/$entity" <<<"[$rows]") \
            || die "loading $entity failed: $answer"
    done
    say "    $entity: ${#lines[@]}"
}

# Prints three commands to try, with ids that exist.
print_tour() {
    local concept owner
    concept=$(example_value concepts concept_id)
    owner=$(example_value users user_id)
    cat <<TOUR

Fourfold is up at $GATEWAY_URL. Try:

  curl '$GATEWAY_URL/v1/dots/concepts?select=concept_id,name&order=name&limit=5'
  curl '$GATEWAY_URL/v1/dots/concepts/$concept/connections?depth=1'
  curl '$GATEWAY_URL/v1/dots/search' -H 'Content-Type: application/json' \\
       -H 'Fourfold-User: $owner' \\
       -d '{"text":"creativity and inspiration","entities":["concepts","memories"],"limit":5}'

TOUR
}

# example_value ENTITY COLUMN: that column of the first row.
example_value() {
    sed -nE "1s/.*\"$2\": *\"([^\"]+)\".*/\1/p" "$EXAMPLES_DIR/$1.ndjson" 2>/dev/null \
        || printf '<%s>' "$2"
}
