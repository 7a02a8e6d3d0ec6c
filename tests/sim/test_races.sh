#!/bin/sh
# Every kernel under ThreadSanitizer with two workers: races between threads, warps and blocks. Every number of tokens in
# one order of threads, every order at one number at least; VITTM_TEST_FULL=1: all in all, in minutes.
. tests/support/sh.sh

folder=$PWD/$BUILD/sim/tsan
if [ ! -x "$folder/test_devices" ]; then
    skip "kernels under ThreadSanitizer" "not built (make sim)"
    finish
fi
export VITTM_BACKEND_DIR="$folder" VT_SIM_WORKERS=2 VITTM_TEST_ONCE=1 TSAN_OPTIONS=halt_on_error=1:report_signal_unsafe=0:atexit_sleep_ms=0
run() { # run ORDER STREAMS TOKENS
    tokens=${VITTM_TEST_FULL:+49 64 65 196 197}
    tokens=${tokens:-$3}
    check "races, threads $1, streams $2, $tokens tokens" env VT_SIM_ORDER="$1" VT_SIM_STREAMS="$2" \
        VITTM_TEST_TOKENS="$tokens" "$folder/test_devices"
}
run forward eager "64 197"
run reverse lazy "49"
run random random "65 196"
finish
