# Every experiment file can be planned: no cell refused, none folded away, no key that nobody reads.
. tests/support/sh.sh

for file in experiments/*.yaml experiments/paper/*.yaml experiments/small/*.yaml; do
    code=0
    "$vittm" plan "$file" > "$scratch/plan" 2>&1 || code=$?
    if [ "$code" -eq 0 ] && grep -q ' 0 excluded, 0 refused, 0 folded;' "$scratch/plan"; then
        pass "$file"
    else
        fail "$file: exit code $code"
        tail -n 5 "$scratch/plan" | sed 's/^/    /'
    fi
done

# The rows of a table are called as in the paper, so that published and measured can be laid together.
for table in table3 table4 table5 table8 figure1; do
    missing=$(sed -n '/label:/s/.*label: "\([^"]*\)".*/\1/p' "experiments/paper/$table.yaml" |
        while read -r label; do
            grep -qF ",$label," "results/published/vittm-$table.csv" ||
                grep -qF ",\"$label\"," "results/published/vittm-$table.csv" || echo "$label"
        done)
    check "$table has no row of its own invention: $missing" test -z "$missing"
done

# What the test is for: a file that asks for what cannot be.
printf 'model: vit_s16\nmodel: {patch: 16}\n' > "$scratch/twice.yaml"
printf 'model: {family: vit, latent_dim: 8}\n' > "$scratch/unread.yaml"
printf 'model: {family: vit, patch: 7, image_size: 32}\n' > "$scratch/refused.yaml"
for bad in twice unread refused; do
    check "$bad is not planned" sh -c \
        "! '$vittm' plan '$scratch/$bad.yaml' 2>&1 | grep -q ' 0 excluded, 0 refused, 0 folded;'"
done
finish
