# A worker that is killed at odd moments and started again ends with the same weights, curves and per-image bits
# as one that is left alone; SIGTERM makes it stop in an orderly way.
. tests/support/sh.sh

make_run() {
    mkdir -p "$1"
    cat > "$1/run.yaml" << 'EOF'
model.family: vittm
model.image_size: 16
model.classes: 10
model.dim: 16
model.depth: 2
model.heads: 2
model.memory_patch: 4
model.process_patch: 8
model.rw_head: cross
model.fusion: add
model.drop_path: 0.2
data.dataset: shapes
data.train_size: 2000
data.val_size: 200
train.epochs: 10
train.batch: 20
train.eval_batch: 50
latency.batch: 2
latency.min_time: 0.05
seed: 5
device: cpu
threads: 1
cell: 0123456789abcdef
measure: [cost, accuracy, latency]
EOF
}

sum() { sha256sum < "$1" | cut -d ' ' -f 1; }

# The last event of each epoch without its times.
history() {
    sed 's/"time":[^,]*,//;s/,"train\/img_s":[^,}]*//;s/,"train\/data_wait_s":[^,}]*//' "$1/events.jsonl" |
        awk -F'[:,]' '/^{"epoch":[0-9]+,.*}}$/ { last[$2] = $0 } END { for (i = 1; i <= 10; i++) print last[i] }'
}

same_as_reference() {
    [ "$(sum "$1/weights.safetensors")" = "$(sum "$scratch/whole/weights.safetensors")" ] &&
        [ "$(sum "$1/correct.bits")" = "$(sum "$scratch/whole/correct.bits")" ] &&
        [ "$(history "$1")" = "$(history "$scratch/whole")" ] && [ -n "$(history "$1")" ]
}

make_run "$scratch/whole"
expect_code 0 "an undisturbed run" "$vittm" worker "$scratch/whole"
check "its result" grep -q '"val/top1"' "$scratch/whole/result.json"
expect_text "nothing to do" "a finished run is left alone" "$vittm" worker "$scratch/whole"

# Starts a worker and returns once it trains (or has ended): signals to it are then signals to the loop.
start() {
    rm -f "$1/progress.json"
    "$vittm" worker "$1" 2>> "$1.log" &
    pid=$!
    while [ ! -e "$1/progress.json" ] && kill -0 "$pid" 2> /dev/null; do
        sleep 0.005
    done
}

epochs_of() { grep -c . "$1/events.jsonl" 2> /dev/null; }

# kill -9 after each of these delays, counted from the first step and, every other time, from the end of the first
# epoch: so that it falls into steps, evaluations and checkpoints.
make_run "$scratch/killed"
echo "train.checkpoint_steps: 20" >> "$scratch/killed/run.yaml"
kills=0
for delay in 0.01 0.00 0.07 0.01 0.13 0.02 0.09 0.00 0.03 0.05; do
    before=$(epochs_of "$scratch/killed")
    start "$scratch/killed"
    while [ $((kills % 2)) -eq 1 ] && [ "$(epochs_of "$scratch/killed")" = "$before" ] &&
        kill -0 "$pid" 2> /dev/null; do
        sleep 0.002
    done
    sleep "$delay"
    if kill -9 "$pid" 2> /dev/null; then
        kills=$((kills + 1))
    fi
    wait "$pid" 2> /dev/null
done
echo "# killed $kills times, resumed $(grep -c ^resuming "$scratch/killed.log") times"
check "it was killed at least 5 times" [ "$kills" -ge 5 ]
check "and resumed at least twice" [ "$(grep -c ^resuming "$scratch/killed.log")" -ge 2 ]
expect_code 0 "a killed run goes on" "$vittm" worker "$scratch/killed"
check "and ends with the same bits" same_as_reference "$scratch/killed"

# Runs with one to five kills each, at times that a fixed seed chooses. A few, or 100 with VITTM_TEST_FULL=1
# (under a minute and a half there).
# The tensors of a checkpoint, moments of the optimiser too, without the header, which has a speed in it.
tensors() { tail -c +$((9 + $(od -An -tu8 -N8 "$1"))) "$1" | sha256sum; }
few_kills() {
    make_run "$scratch/many"
    for delay in $1; do
        start "$scratch/many"
        sleep "$delay"
        kill -9 "$pid" 2> /dev/null && shots=$((shots + 1))
        wait "$pid" 2> /dev/null
    done
    "$vittm" worker "$scratch/many" > "$scratch/out" 2>&1 && same_as_reference "$scratch/many" &&
        [ "$(tensors "$scratch/many/checkpoint.safetensors")" = "$(tensors "$scratch/whole/checkpoint.safetensors")" ]
}
runs=4
[ -n "${VITTM_TEST_FULL:-}" ] && runs=100
shots=0 same=0
awk -v runs="$runs" 'BEGIN { srand(7)
    for (i = 0; i < runs; i++) { n = 1 + int(5 * rand()); for (k = 0; k < n; k++) printf "%.3f ", 0.3 * rand(); print "" } }' \
    > "$scratch/delays"
while read -r delays; do
    if few_kills "$delays" < /dev/null; then
        same=$((same + 1))
    fi
    rm -rf "$scratch/many" "$scratch/many.log"
done < "$scratch/delays"
echo "# $runs runs killed $shots times in all, $same ended with the same bits"
check "every killed run ends with the same weights, moments, curves and images" [ "$same" -eq "$runs" ]
check "and they were killed" [ "$shots" -ge "$runs" ]

# SIGTERM: exit code 75 and a checkpoint, again and again.
make_run "$scratch/stopped"
stops=0
for delay in 0.01 0.06 0.02; do
    start "$scratch/stopped"
    sleep "$delay"
    kill "$pid" 2> /dev/null
    wait "$pid"
    [ $? -eq 75 ] && stops=$((stops + 1))
done
check "it stopped with code 75 each time" [ "$stops" -eq 3 ]
check "with a checkpoint" [ -s "$scratch/stopped/checkpoint.safetensors" ]
expect_code 0 "a stopped run goes on" "$vittm" worker "$scratch/stopped"
check "and ends with the same bits, too" same_as_reference "$scratch/stopped"

# A finished run has no use for checkpoints.
check "checkpoints are gone once the result is there" [ -z "$(find "$scratch/stopped" -name 'checkpoint*')" ]

# Inside a long epoch checkpoints come by steps, or by time; points of the curve by steps too.
make_run "$scratch/long"
sed -i 's/^train.epochs: 10/train.epochs: 1/' "$scratch/long/run.yaml"
cp -r "$scratch/long" "$scratch/steps"
cp -r "$scratch/long" "$scratch/time"
echo "train.keep_checkpoints: true" >> "$scratch/long/run.yaml"
echo "train.checkpoint_steps: 7" >> "$scratch/steps/run.yaml"
echo "train.checkpoint_every: 0.02" >> "$scratch/time/run.yaml"
expect_code 0 "a run of one epoch" "$vittm" worker "$scratch/long"
check "keeps its checkpoint where that is asked for" [ -s "$scratch/long/checkpoint.safetensors" ]
check "has a point at step 50" grep -q '"epoch":1,"step":50,"time":[0-9.]*,"metrics":{"step/loss":' "$scratch/long/events.jsonl"
for how in steps time; do
    folder=$scratch/$how
    "$vittm" worker "$folder" 2> "$folder.log" &
    pid=$!
    while [ ! -e "$folder/checkpoint.safetensors" ] && kill -0 "$pid" 2> /dev/null; do
        sleep 0.002
    done
    kill -9 "$pid" 2> /dev/null
    wait "$pid" 2> /dev/null
    expect_code 0 "a run killed inside its first epoch, checkpoints by $how" \
        sh -c "'$vittm' worker '$folder' 2> '$folder.log'"
    step=$(sed -n 's/^resuming at epoch 1 of 1, step \([0-9]*\)$/\1/p' "$folder.log")
    echo "# resumed at step ${step:-none}"
    check "went on inside it" [ "${step:-0}" -gt 0 ]
    check "to the same weights" [ "$(sum "$folder/weights.safetensors")" = "$(sum "$scratch/long/weights.safetensors")" ]
done
check "seven steps apart" [ "$(($(sed -n 's/^resuming.*step //p' "$scratch/steps.log") % 7))" = 0 ]

# What cannot work says so in one line.
mkdir -p "$scratch/bad"
expect_code 3 "a folder without run.yaml" "$vittm" worker "$scratch/bad"
make_run "$scratch/bad"
echo "model.rwhead: linear" >> "$scratch/bad/run.yaml"
expect_code 2 "an unknown key" "$vittm" worker "$scratch/bad"
expect_text "run.yaml:25:1: unknown key model.rwhead (did you mean model.rw_head?)" \
    "and where it stands" "$vittm" worker "$scratch/bad"
make_run "$scratch/bad"
sed -i 's/^device: cpu/device: cup/' "$scratch/bad/run.yaml"
expect_text "unknown device cup (did you mean cpu?" "an unknown device" "$vittm" worker "$scratch/bad"
expect_code 2 "is a usage error" "$vittm" worker "$scratch/bad"
make_run "$scratch/bad"
sed -i 's/^model.classes: 10/model.classes: 11/' "$scratch/bad/run.yaml"
expect_code 2 "a model of another number of classes" "$vittm" worker "$scratch/bad"

# No room for checkpoints: training goes on for a while, then the run fails and says why.
make_run "$scratch/full"
expect_code 3 "checkpoints that cannot be written" sh -c "ulimit -f 16; exec '$vittm' worker '$scratch/full'"
expect_text "checkpoints in a row could not be written" "and that is what it says" \
    sh -c "ulimit -f 16; exec '$vittm' worker '$scratch/full'"
check "no temporary file is left" [ -z "$(find "$scratch/full" -name '*.tmp.*')" ]
expect_code 0 "with room again it goes through" "$vittm" worker "$scratch/full"
check "to the same bits" same_as_reference "$scratch/full"

# Products in bfloat16: said in the facts and with the latency, and other weights than fp32 gives.
make_run "$scratch/bf16"
sed -i 's/^train.epochs: 10/train.epochs: 2/; /^device/i train.precision: bf16' "$scratch/bf16/run.yaml"
if grep -qw avx512_bf16 /proc/cpuinfo 2> /dev/null; then
    expect_text "avx512_bf16, bf16, 1 thread" "a run in bf16" "$vittm" worker "$scratch/bf16"
    check "says so in the facts and the latency" \
        [ "$(grep -o '"precision": *"bf16"' "$scratch/bf16/result.json" | wc -l)" = 2 ]
else
    expect_text "bf16 needs a processor with AVX512-BF16" "a run in bf16 is refused" \
        "$vittm" worker "$scratch/bf16"
fi

# Weights know what they belong to.
expect_text '"val/top1":' "eval of the weights" "$vittm" eval "$scratch/whole/weights.safetensors" --format json
top1=$(sed -n 's/^ *"val\/top1": \([0-9.]*\),*/\1/p' "$scratch/whole/result.json")
expect_text "\"val/top1\":${top1%.0}" "gives the run's accuracy" sh -c \
    "'$vittm' eval '$scratch/whole/weights.safetensors' --batch 33 --format json | tr -d ' '"
finish
