#!/bin/sh
# Every kernel under AddressSanitizer and UndefinedBehaviorSanitizer, in several orders of threads and streams,
# with the host kept out of device memory: values, bits of two runs, bounds, alignment, leaks.
. tests/support/sh.sh

folder=$PWD/$BUILD/sim/asan
if [ ! -x "$folder/test_devices" ]; then
    skip "kernels under AddressSanitizer" "not built (make sim)"
    finish
fi
export VITTM_BACKEND_DIR="$folder" VT_SIM_STRICT=1
run() { # run ORDER STREAMS CASES
    check "threads $1, streams $2" env VT_SIM_ORDER="$1" VT_SIM_STREAMS="$2" VITTM_TEST_CASES="$3" "$folder/test_devices"
}
run forward eager 5
run reverse lazy 2
run random random 2
finish
