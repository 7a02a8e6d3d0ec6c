# tools/run-tests counts right and never takes a broken test for a good one.
. tests/support/sh.sh

mkdir -p "$scratch/b/tests"
t=$scratch/b/tests
program() {
    printf '#!/bin/sh\n%s\n' "$2" > "$t/$1"
    chmod +x "$t/$1"
}
program good 'echo "[==========] 3 test(s) run."; echo "[  PASSED  ] 2 test(s)."; echo "[  SKIPPED ] 1 test(s), listed below:"; echo "[  SKIPPED ] x"'
program bad 'echo "[  PASSED  ] 1 test(s)."; echo "[  FAILED  ] 2 test(s), listed below:"; echo "[  FAILED  ] a"; exit 2'
program liar 'echo "[  PASSED  ] 1 test(s)."; echo "[  FAILED  ] 1 test(s), listed below:"; exit 0'
program crash 'echo "[  PASSED  ] 1 test(s)."; kill -SEGV $$'
program silent 'exit 0'
program slow 'sleep 30'
program leak 'echo "[  PASSED  ] 1 test(s)."; exit 23'
program cache 'test -z "$(ls "$XDG_CACHE_HOME")" && echo x > "$XDG_CACHE_HOME/x" && echo "$VITTM_DATA" > "$0.data" && echo "ok a"'
cp "$t/cache" "$t/cache2"
printf 'echo "ok a"\necho "skip b: no b"\n' > "$t/test_ok.sh"
printf 'echo "ok a"\necho "not ok b"\nexit 1\n' > "$t/test_bad.sh"

tests() { BUILD=$scratch/b TEST_TIMEOUT=2 tools/run-tests "" "$@"; }
last() { tests "$@" 2>&1 | tail -n 1; }

expect() {
    got=$(last $2)
    if [ "$got" = "$3" ]; then pass "$1"; else fail "$1: $got, expected $3"; fi
}
expect "passed and skipped" "$t/good" "2 passed, 0 failed, 1 skipped"
expect "failed" "$t/bad" "1 passed, 2 failed, 0 skipped"
expect "failures with exit code 0" "$t/liar" "1 passed, 1 failed, 0 skipped"
expect "a crash" "$t/crash" "1 passed, 1 failed, 0 skipped"
expect "an exit code without a failed case" "$t/leak" "1 passed, 1 failed, 0 skipped"
expect "a test that says nothing" "$t/silent" "0 passed, 1 failed, 0 skipped"
expect "a test that hangs" "$t/slow" "0 passed, 1 failed, 0 skipped"
expect "scripts" "$t/test_ok.sh $t/test_bad.sh" "2 passed, 1 failed, 1 skipped"
mkdir "$scratch/tmp"
TMPDIR=$scratch/tmp XDG_CACHE_HOME=$scratch VITTM_DATA=/my/data tests "$t/cache" "$t/cache2" > "$scratch/caches" 2>&1
expect_text "2 passed, 0 failed" "a cache of its own for each, empty" cat "$scratch/caches"
check "which are removed" test -z "$(ls "$scratch/tmp")"
check "data sets stay where they are said to be" grep -qx /my/data "$t/cache.data"
expect "a missing executable" "$t/none" "0 passed, 1 failed, 0 skipped"
expect_code 0 "exit code 0 where all pass" tests "$t/good"
for bad in bad liar crash silent leak; do
    expect_code 1 "exit code 1: $bad" tests "$t/$bad"
done
expect_code 1 "exit code 1 where nothing ran" tests
expect_text "died of signal 11" "a crash is named" tests "$t/crash"
finish
