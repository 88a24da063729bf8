# shellcheck shell=bash
# Runs the parts of the suite and adds up what passed and failed.

PASSED_COUNT=0
FAILED_COUNT=0
FAILED_PARTS=()

count_part() {
    local name=$1 passed=$2 failed=$3 status=$4
    # A part that ends badly without a failed test (a crash, nothing collected) counts as one.
    if ((status != 0 && failed == 0)); then failed=1; fi
    PASSED_COUNT=$((PASSED_COUNT + passed))
    FAILED_COUNT=$((FAILED_COUNT + failed))
    if ((failed > 0)); then FAILED_PARTS+=("$name"); fi
    say "    $name: $passed passed, $failed failed"
}

# run_pytest NAME PYTHON PATH…
run_pytest() {
    local name=$1 python=$2 report=$RUN_DIR/$1.xml status=0
    shift 2
    step "$name"
    run_bound env --chdir="$ROOT_DIR" "$python" -m pytest -p no:cacheprovider --quiet \
        --durations=5 --durations-min=5 --junit-xml "$report" "$@" "${ARGUMENTS[@]}" \
        || status=$?
    local tests=0 failures=0 errors=0 skipped=0
    if [[ -f $report ]]; then
        tests=$(suite_attribute "$report" tests)
        failures=$(suite_attribute "$report" failures)
        errors=$(suite_attribute "$report" errors)
        skipped=$(suite_attribute "$report" skipped)
    fi
    if ((skipped > 0)); then say "    $name: $skipped skipped"; fi
    count_part "$name" $((tests - failures - errors - skipped)) $((failures + errors)) "$status"
}

suite_attribute() { sed -nE "s/.*<testsuite [^>]*\\b$2=\"([0-9]+)\".*/\\1/p;q" "$1"; }

# Debian's Swift has no XCTest, hence --disable-xctest.
run_swift_tests() {
    local log=$RUN_DIR/log/unit.log status=0 line passed=0 failed=0
    step "unit"
    run_bound env --chdir="$ROOT_DIR" swift test --disable-xctest "${ARGUMENTS[@]}" \
        >"$log" 2>&1 || status=$?
    passed=$(grep -E '^[^ ]+ Test .* passed after' "$log" | grep -cv ' Test run with ') || true
    failed=$(grep -E '^[^ ]+ Test .* failed after' "$log" | grep -cv ' Test run with ') || true
    if ((status != 0)); then
        grep -vE '^[^ ]+ Passing | (started|passed after .*)\.?$' "$log" | tail -n 100 >&2
    fi
    line=$(grep -E 'Test run with [0-9]+ tests?' "$log" | tail -n 1) || true
    if [[ -z $line ]]; then status=1; else say "    ${line#* }"; fi
    count_part unit "$passed" "$failed" "$status"
}

print_summary() {
    if ((FAILED_COUNT > 0)); then say "failed in: ${FAILED_PARTS[*]}"; fi
    say "$PASSED_COUNT passed, $FAILED_COUNT failed"
    ((FAILED_COUNT == 0))
}
