# The scaled-down tables run to their end, through table, figure and report: on a few procedural images, for one
# epoch. Two of them here, all of them with VITTM_TEST_FULL=1.
. tests/support/sh.sh

files="experiments/small/table2.yaml experiments/small/table7.yaml"
[ -n "${VITTM_TEST_FULL:-}" ] && files=$(echo experiments/small/*.yaml)

tiny() {
    "$vittm" run "$1" --db "$2/t.db" --out "$2/runs" data.dataset=shapes data.train_size=32 data.val_size=16 \
        train.epochs=1 train.warmup_epochs=0 train.batch=16 train.eval_batch=16 seeds=2 $3 > "$2/log" 2>&1
}

for file in $files; do
    experiment=small-$(basename "$file" .yaml)
    dir=$scratch/$experiment
    mkdir -p "$dir"
    latency='latency.min_time=0.01 latency.batch=4'
    grep -q '^measure:.*latency' "$file" || latency=
    if ! tiny "$file" "$dir" "$latency"; then
        fail "$file runs"
        tail -n 5 "$dir/log" | sed 's/^/    /'
        continue
    fi
    pass "$file runs"
    check "$experiment: table" sh -c "'$vittm' table $experiment --db '$dir/t.db' --format latex | grep -q '(n=2)'"
    if grep -q '^published:' "$file"; then
        check "$experiment: published beside measured" "$vittm" table "$experiment" --published --db "$dir/t.db"
    fi
    if command -v gnuplot > "$scratch/out"; then
        check "$experiment: curves" "$vittm" plot curves "$experiment" --db "$dir/t.db" -o "$dir/c.svg"
        grep -q '^objectives:.*cost/macs' "$file" &&
            check "$experiment: front" "$vittm" plot pareto "$experiment" --db "$dir/t.db" -o "$dir/p.svg"
        check "$experiment: report" "$vittm" report "$experiment" --db "$dir/t.db" -o "$dir/r.html"
    else
        skip "$experiment: figures" "gnuplot is not installed"
    fi
done
finish
