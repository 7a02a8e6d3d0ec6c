# vittm run with the real worker: whole grids, kills, resumption to the same bits, refusals.
. tests/support/sh.sh

cat > "$scratch/tiny.yaml" <<'YAML'
name: tiny
title: Two fusions on shapes
seeds: 1
grid: {model.fusion: [add, erase]}
limits: {timeout: 5m, retries: 0}
measure: [cost, accuracy]
model: {family: vittm, image_size: 32, classes: 10, dim: 32, depth: 2, heads: 2, memory_patch: 4,
        process_patch: 8, rw_head: linear}
data: {dataset: shapes, train_size: 512, val_size: 128}
train: {epochs: 4, batch: 32, warmup_epochs: 0.5}
YAML

# run NAME [options]: the experiment in a folder of that name
run() {
    where=$scratch/$1
    shift
    "$vittm" run "$scratch/tiny.yaml" --out "$where" --db "$where/vittm.db" --threads 1 "$@"
}

ask() { "$vittm" query --db "$scratch/$1/vittm.db" --format csv "$2" | tail -n +2; }

weights() { ask "$1" "SELECT text FROM v_env WHERE key = 'weights_sha256' ORDER BY run"; }

mkdir "$scratch/whole" "$scratch/killed" "$scratch/workers" "$scratch/stopped"

expect_text "start" "a dry run says what it would do" run whole --dry-run
check "and does nothing" test ! -e "$scratch/whole/vittm.db"
expect_code 0 "a grid runs to its end" run whole --jobs 2
check "two runs are done" test "$(ask whole "SELECT count(*) FROM v_runs WHERE state = 'done'")" = 2
check "with curves of four epochs" \
    test "$(ask whole "SELECT count(*) FROM v_curves WHERE metric = 'val/top1'")" = 8
check "and where they come from" \
    test "$(ask whole "SELECT count(*) FROM v_env WHERE key IN ('commit', 'binary_sha256', 'cpu',
        'compiler', 'flags', 'libraries', 'command_line', 'dataset_hash', 'threads')")" = 18
expect_text "keep" "a second dry run would keep them" run whole --dry-run
expect_text "2 of 2 done" "the same command keeps them" run whole --tensorboard "$scratch/board"
check "and writes their curves for TensorBoard" \
    test "$(find "$scratch/board" -name 'events.out.tfevents.*' -size +1k | wc -l)" = 2
check "finished runs have no checkpoints" test -z "$(find "$scratch/whole" -name 'checkpoint*')"
for folder in "$scratch"/whole/runs/*/; do
    echo kept > "$folder/checkpoint.safetensors"
done
expect_code 0 "gc of checkpoints" "$vittm" gc --checkpoints --db "$scratch/whole/vittm.db"
check "removes them, not the runs" \
    test "$(find "$scratch/whole" -name 'checkpoint*' -o -name result.json | xargs -n 1 basename | sort -u)" = result.json
expect_text "top-1" "new cells only" run whole model.fusion=add,erase,add_erase
check "three runs now" test "$(ask whole "SELECT count(*) FROM v_runs WHERE state = 'done'")" = 3
weights whole > "$scratch/want"
expect_code 0 "effects of its grid" \
    sh -c "'$vittm' table tiny --effects --format csv --db '$scratch/whole/vittm.db' > '$scratch/effects'"
check "one a value of the axis, which sum to nothing" \
    awk -F, 'NR > 1 { n++; sum += $5 } END { exit !(n == 3 && sum < 1e-9 && sum > -1e-9) }' "$scratch/effects"
ask whole "SELECT run FROM v_runs ORDER BY run LIMIT 2" | tr '\n' ' ' > "$scratch/pair"
# shellcheck disable=SC2046  # two runs, two arguments
check "two runs on the same images" sh -c "'$vittm' diff $(cat "$scratch/pair") --images --format csv \
    --db '$scratch/whole/vittm.db' > '$scratch/images'"
check "every image counts once, and p is a probability" awk -F, \
    'NR == 2 { exit !($1 == 128 && $2 + $3 + $4 + $5 == 128 && $6 >= 0 && $6 <= 1) }' "$scratch/images"

# Weights that are selected: what a run ends with is what is told, not its last epoch.
mkdir "$scratch/selected"
run selected model.fusion=add train.average=ema train.select=best_average train.ema_decay=0.99 > "$scratch/said" 2>&1
final=$(ask selected "SELECT printf('%.1f', \"val/top1\") FROM v_runs")
last=$(ask selected "SELECT printf('%.1f', value) FROM v_curves WHERE metric = 'val/top1' AND epoch = 4")
check "the weights' own last value is another ($final, $last)" test "$final" != "$last"
expect_text "top-1 $final %" "the line of a finished run has the selected one" grep '^done' "$scratch/said"
expect_text "best in validation" "and a table says so" \
    "$vittm" table tiny --db "$scratch/selected/vittm.db"
expect_text "no epoch was selected" "as it does where none was selected" \
    "$vittm" table tiny --db "$scratch/whole/vittm.db"

# The runner is killed at ten moments, then left alone; what survives goes on.
i=0
while [ $i -lt 10 ]; do
    run killed --jobs 2 > /dev/null 2>&1 &
    pid=$!
    sleep 0.$((i * 7 % 10 + 1))
    # $pid is the subshell of the function: the program is its child, if it is not one itself.
    child=$(cat "/proc/$pid/task/$pid/children" 2> /dev/null)
    kill -9 $child $pid 2> /dev/null
    wait $pid 2> /dev/null
    i=$((i + 1))
done
expect_code 0 "after ten kills of the runner it ends" run killed --jobs 2
run whole model.fusion=add,erase > /dev/null 2>&1
ask whole "SELECT v.text FROM v_env v JOIN v_runs r ON r.run = v.run AND r.experiment = 'tiny'
    WHERE v.key = 'weights_sha256' ORDER BY v.run" > "$scratch/want"
weights killed > "$scratch/got"
check "with the weights of an undisturbed run, bit by bit" cmp "$scratch/want" "$scratch/got"
check "and the curves" test "$(ask killed "SELECT count(*) FROM v_curves WHERE metric = 'val/top1'")" = 8

# SIGTERM: the workers write a checkpoint in mid-epoch and the exit code says so.
run stopped --jobs 2 > "$scratch/messages" 2>&1 &
pid=$!
tries=0
until grep -q '^start' "$scratch/messages" || [ $tries -ge 200 ]; do
    sleep 0.05
    tries=$((tries + 1))
done
sleep 0.4
child=$(cat "/proc/$pid/task/$pid/children" 2> /dev/null)
kill -TERM ${child:-$pid} 2> /dev/null
wait $pid
code=$?
if [ $code -eq 75 ] || [ $code -eq 0 ]; then
    pass "SIGTERM ends it in an orderly way (exit code $code)"
else
    fail "SIGTERM: exit code $code"
    cat "$scratch/messages"
fi
expect_code 0 "and the same command goes on" run stopped --jobs 2
weights stopped > "$scratch/got"
check "to the same weights" cmp "$scratch/want" "$scratch/got"

# Refusals, before anything starts.
: > "$scratch/file"
expect_code 3 "an output folder that is a file" \
    "$vittm" run "$scratch/tiny.yaml" --out "$scratch/file" --db "$scratch/x.db"
check "no database was made" test ! -e "$scratch/x.db"
expect_code 2 "an unknown device" run whole --device cdua
expect_code 2 "an unknown launcher" run whole --launcher locla
expect_text "model.fusion" "an unknown key" run whole model.fusoin=add
expect_code 2 "a selection that leaves nothing" run whole --only "model.fusion == nothing"
VITTM_DATA=$scratch HOME=$scratch
export VITTM_DATA HOME
expect_code 3 "a missing data set" run whole data.dataset=cifar10
expect_text "vittm data get cifar10" "says how to get it" run whole data.dataset=cifar10
echo "fallback: {data.dataset: shapes}" >> "$scratch/tiny.yaml"
expect_text "going on with data.dataset=shapes" "a fallback is used and named" \
    run whole data.dataset=cifar10 --dry-run

# A run that diverges: once, then only where that is asked for.
mkdir "$scratch/diverged"
bad() { run diverged model.fusion=add train.optimizer=sgd train.lr=100 train.warmup_epochs=0 train.clip=0 "$@"; }
expect_code 1 "a run that diverges is exit code 1" bad
expect_text "1 failed, 1 of these earlier: --retry-failed runs it again" "it is left so, and that is said" bad
check "it was tried once" test "$(ask diverged "SELECT sum(attempts) FROM v_compute")" = 1
expect_code 1 "--retry-failed" bad --retry-failed
check "tries it again" test "$(ask diverged "SELECT sum(attempts) FROM v_compute")" = 2

# Where nothing is yet: the runs' folders where --out says, the database at its usual place.
mkdir "$scratch/fresh"
case $vittm in /*) program=$vittm ;; *) program=$(pwd)/$vittm ;; esac
fresh() { (cd "$scratch/fresh" && unset VITTM_DB && "$@"); }
elsewhere() { fresh "$program" run ../tiny.yaml --out far/away --threads 1 model.fusion=add train.epochs=1; }
expect_code 0 "a run in an empty folder, its files elsewhere" elsewhere
check "the run is there" test "$(find "$scratch/fresh/far/away/runs" -name result.json | wc -l)" = 1
check "the database is out/vittm.db" test -s "$scratch/fresh/out/vittm.db"
expect_text "1 of 1 done" "and knows the run" elsewhere
expect_text "epoch" "and its folder" fresh sh -c "'$program' show --log \$('$program' ls tiny --columns run --format csv | tail -1)"
finish
