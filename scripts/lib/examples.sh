# shellcheck shell=bash
# Loads example data through the API, once for each state of the files.

EXAMPLES_DIR=$ROOT_DIR/examples/dots

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

# Row by row over one connection: the rows of a file need not name the same columns. A row that is
# there already stays as it is, so that loading again overwrites nobody's changes.
load_entity() {
    local entity=$1 file=$2 answer count
    count=$(grep -c '[^[:space:]]' "$EXAMPLES_DIR/$file")
    answer=$(curl_requests "$entity" <"$EXAMPLES_DIR/$file" \
        | curl --silent --show-error --fail-early --config - 2>&1) \
        || die "loading $entity failed: $answer"
    say "    $entity: $count"
}

# Turns lines of JSON into requests in the form of curl's config file.
curl_requests() {
    local data
    local -a separator=()
    grep '[^[:space:]]' | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/data-binary = "&"/' \
        | while IFS= read -r data; do
            printf '%s\n' "${separator[@]}" "url = \"$GATEWAY_URL/v1/dots/$1\"" "$data" \
                fail-with-body 'max-time = 60' 'header = "Content-Type: application/json"' \
                'header = "Prefer: resolution=ignore-duplicates,return=minimal"'
            separator=(next)
        done
}

# Prints three commands to try, with ids that exist.
print_tour() {
    local concept owner
    concept=$(example_value concepts concept_id)
    owner=$(example_value users user_id)
    cat <<TOUR

Fourfold is up at $GATEWAY_URL. Try:

  curl '$GATEWAY_URL/v1/dots/concepts?select=concept_id,name&order=name&limit=5' \\
       -H 'Fourfold-User: $owner'
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
