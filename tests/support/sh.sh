# For test_*.sh: one line a case, and the exit code says whether any failed.
# shellcheck shell=sh
#   . tests/support/sh.sh
#   check "what must hold" command args...       succeeds
#   expect_code 2 "name" command args...          exit code
#   expect_text "part" "name" command args...     stdout and stderr together contain the part
#   skip "name" "reason"
#   finish
failures=0
BUILD=${BUILD:-build/release}
vittm=$BUILD/vittm
mkdir -p build/tmp
scratch=$(mktemp -d build/tmp/sh.XXXXXX)
trap 'rm -rf "$scratch"' EXIT

pass() { echo "ok $1"; }

fail() {
    echo "not ok $1"
    failures=$((failures + 1))
}

skip() { echo "skip $1: $2"; }

check() {
    name=$1
    shift
    if "$@" > "$scratch/out" 2>&1; then
        pass "$name"
    else
        fail "$name"
        sed 's/^/    /' "$scratch/out"
    fi
}

expect_code() {
    want=$1
    name=$2
    shift 2
    code=0
    "$@" > "$scratch/out" 2>&1 || code=$?
    if [ "$code" -eq "$want" ]; then
        pass "$name"
    else
        fail "$name: exit code $code, expected $want"
        sed 's/^/    /' "$scratch/out"
    fi
}

expect_text() {
    part=$1
    name=$2
    shift 2
    "$@" > "$scratch/out" 2>&1 || :
    if grep -qF -e "$part" "$scratch/out"; then
        pass "$name"
    else
        fail "$name: no \"$part\" in"
        sed 's/^/    /' "$scratch/out"
    fi
}

finish() {
    [ "$failures" -eq 0 ]
    exit
}
