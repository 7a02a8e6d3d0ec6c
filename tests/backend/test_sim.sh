#!/bin/sh
# The program on the emulated device: reference tensors, and a run that trains; the same bits twice, eager or
# lazy, captured or not.
. tests/support/sh.sh

if [ ! -f "$BUILD/backend-sim.so" ]; then
    skip "the emulated device" "backend-sim.so is not built (make backend-sim)"
    finish
fi
check "reference tensors" "$vittm" selftest --golden tests/golden --backend sim
if [ -n "${VITTM_SHARED:-}" ]; then
    for golden in model segmentation; do
        check "reference tensors of all families, $golden" \
            "$vittm" selftest --golden "$VITTM_SHARED/golden/$golden" --backend sim
    done
fi

# Several algorithms a product, the first of them unusable: chosen by time and kept; without a place to keep it, the
# first usable one.
linear() { # linear CACHE [VARIABLE=VALUE ...]
    cache=$1
    shift
    env VITTM_BACKEND_DIR="$PWD/$BUILD" VITTM_TEST_OP=linear VITTM_TEST_TOKENS="49 65" VT_SIM_ALGORITHMS=3 \
        XDG_CACHE_HOME="$cache" "$@" "$BUILD/tests/backend/test_devices"
}
check "products by the fastest of several algorithms" linear "$scratch/cache"
kept=$(cat "$scratch"/cache/vittm/cublaslt-*.txt | wc -l)
check "which are kept, a line a product" test "$kept" -gt 2
check "and taken from there" linear "$scratch/cache"
check "none is found again" test "$(cat "$scratch"/cache/vittm/cublaslt-*.txt | wc -l)" = "$kept"
check "without a place for them, the first that can be used" linear /proc/none
sed -i 's/ = .*/ = own/' "$scratch"/cache/vittm/cublaslt-*.txt
check "by the own kernel where that was kept" linear "$scratch/cache" VITTM_TEST_BITS="$scratch/own"
check "which stays" test "$(grep -c ' = own$' "$scratch"/cache/vittm/cublaslt-*.txt)" = "$kept"
check "to other bits than the library's" linear /proc/none VITTM_TEST_BITS="$scratch/library"
check "in some" test "$(cmp "$scratch/own" "$scratch/library" | wc -l)" = 1

# own OP [VARIABLE=VALUE ...]: products that the library has no algorithm for, in all three precisions
own() {
    op=$1
    shift
    env VITTM_BACKEND_DIR="$PWD/$BUILD" VITTM_TEST_OP="$op" VITTM_TEST_TOKENS="49 65" VT_SIM_ALGORITHMS=0 \
        XDG_CACHE_HOME="$scratch/refused" "$@" "$BUILD/tests/backend/test_devices"
}
for op in linear_add linear_gelu matmul matmul_gelu_grad linear_weight_grad; do
    check "$op by the own kernel where the library refuses" own $op
done
check "linear likewise" own linear VITTM_TEST_BITS="$scratch/refused.bits"
bits_of_linear() { # of what both runs do
    grep -v 'tf32\|weight' "$scratch/$1"
}
check "to the bits that it has by choice" test "$(bits_of_linear refused.bits)" = "$(bits_of_linear own)"
check "of some results" test "$(bits_of_linear own | wc -l)" -gt 2
check "and by decision" linear "$scratch/decided" VITTM_CUDA_PRODUCTS=own VITTM_TEST_BITS="$scratch/decided.bits"
check "to the same bits" test "$(bits_of_linear decided.bits)" = "$(bits_of_linear own)"
expect_text "it can be auto or own" "a decision that there is not" linear "$scratch/decided" VITTM_CUDA_PRODUCTS=mine
check "nothing is measured where there is no choice" test "$(ls "$scratch/refused/vittm" "$scratch/decided/vittm" | grep -c cublaslt)" = 0

# GELU in the own kernel's launch or behind the library's.
check "GELU behind a product by time" linear "$scratch/gelu" VITTM_TEST_OP=linear_gelu
gelus() {
    grep -c "gelu .* = $1\$" "$scratch"/gelu/vittm/cublaslt-*.txt
}
kept=$(gelus '.*')
check "which is kept" test "$kept" -gt 2
for way in own "in turn"; do
    sed -i "/gelu/s/ = .*/ = $way/" "$scratch"/gelu/vittm/cublaslt-*.txt
    check "GELU, $way" linear "$scratch/gelu" VITTM_TEST_OP=linear_gelu VITTM_TEST_BITS="$scratch/gelu.$way"
    check "stays so" test "$(gelus "$way")" = "$kept"
done
check "they are two ways" test "$(cmp "$scratch/gelu.own" "$scratch/gelu.in turn" | wc -l)" = 1

# The gradients of a weight and its bias, in one product or two kernels: chosen by time and kept; either way, as kept.
gradient() { # gradient CACHE [VARIABLE=VALUE ...]
    cache=$1
    shift
    env VITTM_BACKEND_DIR="$PWD/$BUILD" VITTM_TEST_OP=linear_weight_grad VITTM_TEST_TOKENS=65 XDG_CACHE_HOME="$cache" "$@" \
        "$BUILD/tests/backend/test_devices"
}
ways() {
    cat "$scratch"/sums/vittm/weight-gradient-*.txt
}
check "a gradient's way by time" gradient "$scratch/sums"
check "is kept, where it is long enough to be timed" test "$(ways | wc -l)" = 1
for way in "product and sum" "one product"; do
    kept=$(ways | sed "s/ = .*/ = $way/")
    echo "$kept" > "$(echo "$scratch"/sums/vittm/weight-gradient-*.txt)"
    check "a gradient by $way" gradient "$scratch/sums" VITTM_TEST_BITS="$scratch/sums.$way"
    check "stays so" test "$(ways)" = "$kept"
done
check "they are two ways" test "$(cmp "$scratch/sums.product and sum" "$scratch/sums.one product" | wc -l)" = 1
check "where the library has no such product" gradient "$scratch/none" VT_SIM_SUMS=0
check "nothing is timed" test "$(ls "$scratch"/none/vittm | grep -c weight)" = 0

cat > "$scratch/tiny.yaml" << 'END'
name: tiny
title: Three steps of a tiny ViTTM
seeds: 1
measure: [cost, accuracy]
model: {family: vittm, image_size: 16, classes: 10, memory_patch: 4, process_patch: 8, dim: 24, depth: 2, heads: 3,
        latent_dim: 12, rw_head: linear, fusion: add}
data: {dataset: shapes, train_size: 64, val_size: 16}
train: {epochs: 1, batch: 16, eval_batch: 16, warmup_epochs: 0}
END

# train NAME [VARIABLE=VALUE ...]
train() {
    where=$scratch/$1
    shift
    mkdir -p "$where"
    env "$@" "$vittm" run "$scratch/tiny.yaml" device=sim train.steps=3 --out "$where" --db "$where/v.db"
}
weights() {
    "$vittm" query --db "$scratch/$1/v.db" --format csv \
        "SELECT text FROM v_env WHERE key = 'weights_sha256'" | tail -n +2
}

expect_code 0 "a tiny ViTTM trains" train first
check "its run is done" test -n "$(weights first)"
expect_code 0 "and again, with lazy streams and threads in reverse" \
    train second VT_SIM_STREAMS=lazy VT_SIM_ORDER=reverse
check "to the same bits" test "$(weights first)" = "$(weights second)"

# The device mixes and erases as the processor does: the same loss, but for the order of sums.
mixed() { # mixed DEVICE
    mkdir -p "$scratch/mixed-$1"
    "$vittm" run "$scratch/tiny.yaml" "device=$1" train.lr=0.02 train.epochs=3 data.mix.mixup_alpha=0.8 \
        data.mix.cutmix_alpha=0.8 data.mix.scope=sample data.erase.probability=0.5 --out "$scratch/mixed-$1" --db "$scratch/mixed-$1/v.db"
}
loss() {
    "$vittm" query --db "$scratch/$1/v.db" --format csv 'SELECT "train/loss" FROM v_runs' | tail -n +2
}
same_loss() { echo "$1 $2" | awk '{ exit !($1 > 0 && ($1 - $2) ^ 2 < 1e-8 * $1 * $1) }'; }
expect_code 0 "a run that mixes trains" mixed sim
expect_code 0 "and on the processor" mixed cpu
check "to the same loss: $(loss mixed-sim), $(loss mixed-cpu)" same_loss "$(loss mixed-sim)" "$(loss mixed-cpu)"

# A device works on after a run has been ordered: what is timed is the work, many milliseconds here, not the order.
timed() {
    VT_SIM_STREAMS=lazy "$vittm" bench vit_ti16 model.image_size=32 model.depth=2 model.dim=48 model.heads=3 \
        --device sim --batch 2 --min-time 0.01 --format csv | awk -F, 'NR == 2 { exit !($2 > 1) }'
}
check "latency is that of the work, with lazy streams too" timed

# A device of another architecture is said to be one before anything is done; one that fails in the middle of a run ends
# it in one line, and the run goes on from its checkpoint to the bits of a run that nothing disturbed.
other() { VT_SIM_GRIDS=0 "$vittm" bench vit_ti16 --device sim; }
expect_code 3 "a device that the kernels were not built for" other
expect_text "does not run the kernels of this build: no kernel image" "which is said" other
long() { # long NAME [VARIABLE=VALUE ...]
    where=$scratch/$1
    shift
    mkdir -p "$where"
    env "$@" "$vittm" run "$scratch/tiny.yaml" device=sim train.epochs=3 --retry-failed --out "$where" --db "$where/v.db"
}
expect_code 0 "a run of three epochs" long whole
for streams in eager lazy; do
    expect_code 1 "one whose device fails in the second epoch, streams $streams" \
        long "$streams" VT_SIM_GRIDS=700 VT_SIM_STREAMS="$streams"
    check "one line says so" grep -rq --include=log.txt "the CUDA device failed at .*: an illegal memory access" "$scratch/$streams"
    check "nothing of it counts as done" test -z "$(weights "$streams")"
    expect_code 0 "it goes on with another" long "$streams"
    check "to the same bits" test "$(weights whole)" = "$(weights "$streams")"
done

# Several small runs at once on one device.
at_once() {
    mkdir -p "$scratch/both"
    "$vittm" run "$scratch/tiny.yaml" device=sim train.steps=3 seeds=2 --jobs 2 --out "$scratch/both" --db "$scratch/both/v.db"
}
expect_text "2 at a time" "two runs at once" at_once
check "both done, one with the bits it has alone" test "$(weights both | grep -cxF -e "$(weights first)")" = 1
check "the second is another" test "$(weights both | sort -u | wc -l)" = 2
finish
