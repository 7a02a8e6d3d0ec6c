# Every experiment file can be planned: no cell refused, none folded away, no key that nobody reads.
. tests/support/sh.sh

for file in experiments/*.yaml experiments/paper/*.yaml experiments/small/*.yaml; do
    code=0
    "$vittm" plan "$file" > "$scratch/plan" 2>&1 || code=$?
    # Photos of one's own are not here: that is said behind a whole plan.
    grep -q 'needs a folder of yours' "$scratch/plan" && code=0
    if [ "$code" -eq 0 ] && grep -q ' 0 excluded, 0 refused, 0 folded;' "$scratch/plan"; then
        pass "$file"
    else
        fail "$file: exit code $code"
        tail -n 5 "$scratch/plan" | sed 's/^/    /'
    fi
done

# The rows of a table are called as in the paper, so that published and measured can be laid together.
for table in table3 table4 table5 table6 table8 figure1; do
    missing=$(sed -n '/label:/s/.*label: "\([^"]*\)".*/\1/p' "experiments/paper/$table.yaml" |
        while read -r label; do
            grep -qF ",$label," "results/published/vittm-$table.csv" ||
                grep -qF ",\"$label\"," "results/published/vittm-$table.csv" || echo "$label"
        done)
    check "$table has no row of its own invention: $missing" test -z "$missing"
done

# Table 7 is a table of keys: the two cells have its values.
table7() {
    "$vittm" plan experiments/paper/table7.yaml --format csv --only "train.epochs == 300 and train.min_lr == 1e-7 and
        train.warmup_lr == 1e-6 and train.clip == 1 and model.drop_path == 0.1 and data.augment.crop == rrc and $1" 2> "$scratch/said" | grep ',planned,' | cut -d, -f3
}
check "table 7, left" test "$(table7 "data.dataset == imagenet21k and train.batch == 4096 and train.lr == 1.5e-4 and
    train.warmup_epochs == 3 and train.weight_decay == 0.03 and data.augment.policy == none and data.mix.mixup_alpha == 0 and
    data.mix.cutmix_alpha == 0 and data.erase.probability == 0 and train.loss == ce")" = Pre-training
check "table 7, right" test "$(table7 "data.dataset == imagenet1k and train.batch == 2048 and train.lr == 0.25e-4 and
    train.warmup_epochs == 5 and train.weight_decay == 0.1 and data.augment.rand.ops == 2 and
    data.augment.rand.magnitude == 20 and data.mix.mixup_alpha == 0.8 and data.mix.cutmix_alpha == 0.8 and
    data.erase.probability == 0.25 and train.loss == bce")" = Fine-tuning

# The expected time: of nothing finished, by a step measured on this machine; kept where there is a database.
printf 'name: t\nmodel: {family: vit, image_size: 32, patch: 8, dim: 16, depth: 1, heads: 2, classes: 10}\ndata: {dataset: shapes, train_size: 64, val_size: 32}\ntrain: {epochs: 1, batch: 16}\n' > "$scratch/t.yaml"
planned_s() { "$vittm" plan "$scratch/t.yaml" --db "$scratch/t.db" --format csv 2> "$scratch/said" | cut -d, -f12 | tail -1; }
positive() { awk -v v="$1" 'BEGIN { exit !(v > 0) }'; }
check "without finished runs the time comes from a measured step" positive "$(planned_s)"
check "and says so" grep -q 'GMAC/s, a training step measured on' "$scratch/said"
check "no database is made for it" test ! -e "$scratch/t.db"
"$vittm" run "$scratch/t.yaml" seeds=1 --db "$scratch/t.db" --out "$scratch/runs" > "$scratch/log" 2>&1
check "a run on the same data gives the time from then on" positive "$(planned_s)"
check "without a measurement" sh -c "! grep -q GMAC '$scratch/said'"
rate_of() { "$vittm" plan "$scratch/t.yaml" data.train_size=128 --db "$scratch/t.db" 2>&1 | grep GMAC; }
check "the rate is kept in the database" test "$(rate_of)" = "$(rate_of)"
printf 'name: c\nmodel: vit_s16\nmeasure: [cost]\n' > "$scratch/c.yaml"
expect_text "about 0" "costs alone take no time" "$vittm" plan "$scratch/c.yaml" --db "$scratch/none.db"

# What match found is in the plan.
printf 'name: m\nseeds: 1\ngrid: {model.patch: [4, 8]}\nmatch: {cost.macs: {like: {model.patch: 8}, within: 5%%, solve: model.dim}}\n' > "$scratch/m.yaml"
printf 'model: {family: vit, image_size: 32, dim: 48, depth: 2, heads: 1, classes: 10}\n' >> "$scratch/m.yaml"
check "solved keys are columns" sh -c "'$vittm' plan '$scratch/m.yaml' --format csv | sed -n '1p;3p' | sed 's/.*,//' |
    tr '\n' ' ' | grep -q '^model.dim 48 $'"

# What the test is for: a file that asks for what cannot be.
printf 'model: vit_s16\nmodel: {patch: 16}\n' > "$scratch/twice.yaml"
printf 'model: {family: vit, latent_dim: 8}\n' > "$scratch/unread.yaml"
printf 'model: {family: vit, patch: 7, image_size: 32}\n' > "$scratch/refused.yaml"
for bad in twice unread refused; do
    check "$bad is not planned" sh -c \
        "! '$vittm' plan '$scratch/$bad.yaml' 2>&1 | grep -q ' 0 excluded, 0 refused, 0 folded;'"
done

# A reason stands once, with all cells that it is of, in lines that a terminal shows.
cat > "$scratch/left-out.yaml" <<'YAML'
name: left-out
seeds: 1
grid: {model.dim: [16, 32, 48, 64], model.depth: [1, 2, 3, 4], train.lr: [1e-3, 2e-3]}
exclude: ["model.dim == 16 or (model.dim == 32 and model.depth > 2)"]
model: {family: vit, image_size: 16, patch: 4, heads: 2, classes: 10}
data: {dataset: shapes, train_size: 64, val_size: 16}
train: {epochs: 1, batch: 16, warmup_epochs: 0}
YAML
"$vittm" plan "$scratch/left-out.yaml" > "$scratch/out" 2> "$scratch/err"
sed -n '/^excluded:/,$p' "$scratch/out" > "$scratch/reasons"
check "a reason stands once" test "$(grep -c 'exclude: model.dim == 16' "$scratch/reasons")" = 1
check "above the cells that it is of" grep -q '^    16/1/0.001, 16/1/0.002, 16/2/0.001, ' "$scratch/reasons"
check "all of them" test "$(grep -o '[0-9]*/[0-9]/0.00[12]' "$scratch/reasons" | sort -u | wc -l)" = 12
check "in 80 columns" sh -c "! cat '$scratch/out' '$scratch/err' | LC_ALL=C.UTF-8 grep -E '^.{81}'"
finish
