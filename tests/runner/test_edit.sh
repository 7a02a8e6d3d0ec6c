# Editing an experiment and running it again runs exactly the new cells.
. tests/support/sh.sh

file=$scratch/edit.yaml

# Writes the file with other lines for its name, notes, grid and training.
experiment() {
    cat > "$file" << YAML
name: $1
notes: $2
measure: [cost]
$3
model: {family: vittm, image_size: 32, classes: 10, dim: 32, depth: 2, heads: 2, memory_patch: 4,
        process_patch: 8, rw_head: linear}
data: {dataset: shapes}
train: {epochs: 4, batch: 32$4}
YAML
}

# How many runs the file starts now; all are done afterwards.
starts() {
    "$vittm" run "$file" --out "$scratch/runs" --db "$scratch/t.db" --jobs 2 "$@" > "$scratch/said" 2>&1 ||
        echo "failed: $(tail -n 1 "$scratch/said")"
    grep -c '^start ' "$scratch/said"
}
ask() { "$vittm" query --db "$scratch/t.db" --format csv "$1" | tail -n +2; }

grid='grid: {model.fusion: [add, erase], train.lr: [1e-3, 2e-3]}'
experiment first "one" "$grid" ''
check "all cells the first time" test "$(starts)" = 4
check "none the second time" test "$(starts)" = 0
experiment first "two, and why" "$grid" ''
check "none after the notes changed" test "$(starts)" = 0
experiment first "one" 'grid: {train.lr: [2e-3, 0.001], model.fusion: [erase, add]}' ''
check "none after keys and values changed places, or are written otherwise" test "$(starts)" = 0
experiment first "one" "$grid" ', label_smoothing: 0, weight_decay: 0.05'
check "none for keys that say their defaults" test "$(starts)" = 0
experiment second "one" "$grid" ''
check "none under another name" test "$(starts)" = 0
check "which has the runs, too" test "$(ask "SELECT count(*) FROM v_runs WHERE experiment = 'second'")" = 4
experiment first "one" 'grid: {model.fusion: [add, erase, add_erase], train.lr: [1e-3, 2e-3]}' ''
check "two for a value more" test "$(starts)" = 2
check "they are the new ones" grep -q '^start .*add_erase' "$scratch/said"
check "and no other" sh -c "! grep '^start ' '$scratch/said' | grep -qv add_erase"
experiment first "one" "$grid" ', label_smoothing: 0.1'
check "four for a key at another value" test "$(starts)" = 4
experiment first "one" "$grid" ''
check "none on the way back" test "$(starts)" = 0
check "two seeds more are eight" test "$(starts seeds=3)" = 8
check "eighteen runs in all, each started once" test "$(ask "SELECT sum(attempts) FROM v_compute")" = 18
finish
