#!/bin/sh
# Each planted bug of bugs_*.cu is found by the build that says so, and right programs pass in silence.
. tests/support/sh.sh

folder=$BUILD/sim
if [ ! -x "$folder/asan/bugs" ] || [ ! -x "$folder/tsan/bugs" ]; then
    skip "planted bugs" "the sanitized builds are not here (make sim)"
    finish
fi

# try BUILD NAME ENVIRONMENT SAYS
try() {
    code=0
    # shellcheck disable=SC2086 # several variables may be set
    env $3 "$folder/$1/bugs" "$2" > "$scratch/out" 2>&1 || code=$?
    if [ -z "$4" ] && [ "$code" -eq 0 ] && [ ! -s "$scratch/out" ]; then
        pass "$1: $2 is right"
    elif [ -n "$4" ] && [ "$code" -ne 0 ] && grep -qF -e "$4" "$scratch/out"; then
        pass "$1: $2 is found"
    else
        fail "$1: $2: exit code $code"
        sed 's/^/    /' "$scratch/out" | head -n 20
    fi
}

export TSAN_OPTIONS=atexit_sleep_ms=0
"$folder/asan/bugs" list > "$scratch/list"
while IFS='|' read -r name build environment says; do
    case $build in
    both)
        try asan "$name" "$environment" "$says"
        try tsan "$name" "$environment" "$says"
        ;;
    *) try "$build" "$name" "$environment" "$says" ;;
    esac
done < "$scratch/list"
finish
