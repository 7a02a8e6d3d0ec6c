#!/bin/sh
# Every kernel under AddressSanitizer and UndefinedBehaviorSanitizer, at every number of tokens, in several orders of
# threads and streams, with the host kept out of device memory: values, bounds, alignment, leaks; the same bits in every
# order.
. tests/support/sh.sh

folder=$PWD/$BUILD/sim/asan
if [ ! -x "$folder/test_devices" ]; then
    skip "kernels under AddressSanitizer" "not built (make sim)"
    finish
fi
export VITTM_BACKEND_DIR="$folder" VT_SIM_STRICT=1
run() { # run ORDER STREAMS [VARIABLE=VALUE]
    check "threads $1, streams $2" env VT_SIM_ORDER="$1" VT_SIM_STREAMS="$2" VITTM_TEST_BITS="$scratch/$1" ${3:+"$3"} \
        "$folder/test_devices"
}
run forward eager VITTM_TEST_ONCE=1
run reverse lazy VITTM_TEST_ONCE=1
run random random
check "the bits of results were compared" test -s "$scratch/forward"
check "in reverse: the same bits" cmp "$scratch/forward" "$scratch/reverse"
check "at random: the same bits" cmp "$scratch/forward" "$scratch/random"
finish
