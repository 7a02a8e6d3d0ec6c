#!/bin/sh
# Every kernel under ThreadSanitizer with two workers: races between threads, warps and blocks.
. tests/support/sh.sh

folder=$PWD/$BUILD/sim/tsan
if [ ! -x "$folder/test_devices" ]; then
    skip "kernels under ThreadSanitizer" "not built (make sim)"
    finish
fi
export VITTM_BACKEND_DIR="$folder" VT_SIM_WORKERS=2 TSAN_OPTIONS=halt_on_error=1:report_signal_unsafe=0
run() { # run ORDER CASES
    check "races, threads $1" env VT_SIM_ORDER="$1" VITTM_TEST_CASES="$2" "$folder/test_devices"
}
run forward 2
run random 1
finish
