# vittm bench and vittm eval: the keys that scripts rely on, and what bad input says.
. tests/support/sh.sh

small="model.image_size=32 model.dim=16 model.depth=1 model.heads=2 model.classes=10"
models="experiments/models/vit_ti16.yaml experiments/models/vit_s16.yaml"

keys() {
    # shellcheck disable=SC2086
    "$vittm" bench experiments/models/vit_ti16.yaml $small --batch 2 --min-time 0.01 --threads 1 "$@" \
        --format json 2> /dev/null | tr ',' '\n' | sed -n 's/.*"\([a-z0-9_]*\)": .*/\1/p' | tr '\n' ' '
}
columns="model p50_ms p90_ms iqr_ms batch precision threads device images_per_s peak_bytes p99_ms clock_mhz "
check "the keys of bench" [ "$(keys)" = "$columns" ]
check "and of training steps" [ "$(keys --train)" = "$columns" ]
# shellcheck disable=SC2086
expect_text "times as long an image as vit_ti16" "several models are compared" \
    "$vittm" bench $models $small --min-time 0.01 --threads 1
expect_code 2 "an unknown model" "$vittm" bench vit_ti17
expect_text "vit_ti16" "names the nearest one" "$vittm" bench vit_ti17
expect_code 2 "an unknown device" "$vittm" bench vit_ti16 --device gpu
expect_code 2 "a device that computes nothing" "$vittm" bench vit_ti16 --device null
expect_code 2 "a batch of none" "$vittm" bench vit_ti16 --batch 0

# The precision of products: cpu has no tf32; bf16 where the processor has it, else one line why.
expect_code 3 "tf32 on a processor" "$vittm" bench vit_ti16 --device cpu --precision tf32
expect_text "tf32 is a format of GPUs" "says so" "$vittm" bench vit_ti16 --device cpu --precision tf32
expect_text "latency.precision: device cpu: tf32" "names the key" \
    "$vittm" bench vit_ti16 --device cpu latency.precision=tf32
expect_text "train.precision: device cpu: tf32" "of training" \
    "$vittm" bench vit_ti16 --device cpu --train train.precision=tf32
expect_code 2 "an unknown precision" "$vittm" bench vit_ti16 --precision half
column_of() {
    # shellcheck disable=SC2086
    "$vittm" bench vit_ti16 $small --batch 2 --min-time 0.01 --threads 1 --format json "$@" 2> /dev/null |
        sed -n 's/.*"precision": "\([a-z0-9]*\)".*/\1/p'
}
check "fp32 unless asked" [ "$(column_of)" = fp32 ]
if grep -qw avx512_bf16 /proc/cpuinfo 2> /dev/null; then
    check "bf16 by option" [ "$(column_of --precision bf16)" = bf16 ]
    check "and as the model was trained" [ "$(column_of train.precision=bf16)" = bf16 ]
    check "or not" [ "$(column_of train.precision=bf16 latency.precision=fp32)" = fp32 ]
else
    expect_code 3 "bf16 without AVX512-BF16" "$vittm" bench vit_ti16 --device cpu --precision bf16
    expect_text "needs a processor with AVX512-BF16" "says so" \
        "$vittm" bench vit_ti16 --device cpu --precision bf16
fi

printf 'nonsense' > "$scratch/bad.safetensors"
expect_code 3 "eval of something else" "$vittm" eval "$scratch/bad.safetensors"
expect_text "bad.safetensors: cut short, or not a safetensors file" "says so" "$vittm" eval "$scratch/bad.safetensors"
expect_code 3 "eval of a missing file" "$vittm" eval "$scratch/none.safetensors"
printf '\002\000\000\000\000\000\000\000{}' > "$scratch/empty.safetensors"
expect_text "does not say what model it is for" "eval of weights without a configuration" \
    "$vittm" eval "$scratch/empty.safetensors"
# shellcheck disable=SC2086
expect_text "lacks " "eval of weights of another model" "$vittm" eval "$scratch/empty.safetensors" \
    experiments/models/vit_ti16.yaml $small data.dataset=shapes data.val_size=10
finish
