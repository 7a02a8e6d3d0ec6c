#!/bin/sh
# The own kernels of products at sizes that fit no tile, under both sanitizers: all cases in one order of threads and copies,
# a third in each of the others and in each under ThreadSanitizer; VITTM_TEST_FULL=1: all in all.
. tests/support/sh.sh

folder=$PWD/$BUILD/sim
if [ ! -x "$folder/asan/products" ] || [ ! -x "$folder/tsan/products" ]; then
    skip "own products" "not built (make sim)"
    finish
fi
export TSAN_OPTIONS=halt_on_error=1:report_signal_unsafe=0:atexit_sleep_ms=0
# run BUILD ORDER STREAMS PART VARIABLE=VALUE
run() {
    part=$4
    [ -z "${VITTM_TEST_FULL:-}" ] || part=""
    # shellcheck disable=SC2086 # none, or two words
    check "$1, threads $2, streams and copies $3" env VT_SIM_ORDER="$2" VT_SIM_STREAMS="$3" "$5" "$folder/$1/products" $part
}
run asan forward eager "" VT_SIM_STRICT=1
run asan reverse lazy "3 0" VT_SIM_STRICT=1
run asan random random "3 1" VT_SIM_STRICT=1
run tsan forward eager "3 0" VT_SIM_WORKERS=2
run tsan reverse lazy "3 1" VT_SIM_WORKERS=2
run tsan random random "3 2" VT_SIM_WORKERS=2

# Whole programs, eager and captured, in which every product is the own kernel's.
own() { # own OP
    env VITTM_BACKEND_DIR="$folder/asan" VT_SIM_ALGORITHMS=0 VT_SIM_STRICT=1 VT_SIM_STREAMS=lazy VT_SIM_ORDER=reverse \
        VITTM_TEST_OP="$1" VITTM_TEST_TOKENS=65 "$folder/asan/test_devices"
}
for op in linear linear_add linear_gelu matmul matmul_gelu_grad; do
    check "asan, $op by the own kernel" own $op
done
finish
