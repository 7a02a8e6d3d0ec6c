# Sixty real photos, JPEG of every kind and a PNG under a wrong name, train and evaluate a tiny model.
. tests/support/sh.sh

photos=${VITTM_SHARED:-../shared}/data/imagenet-mini
if [ ! -d "$photos" ]; then
    skip "photos" "data/imagenet-mini is not beside this checkout"
    finish
fi
expect_text "60 good, 0 bad" "all decode" "$vittm" data check "$photos"
cat > "$scratch/photos.yaml" << END
name: photos
measure: [accuracy]
model: {family: vit, image_size: 64, classes: 60, patch: 16, dim: 32, depth: 1, heads: 2}
data: {dataset: image_folder, root: $photos, train_folder: ".", val_folder: "."}
train: {epochs: 2, batch: 20}
END
for more in "data.augment.policy=rand data.cache=decoded" "data.augment.policy=three data.mix.mixup_alpha=0.8 data.erase.probability=0.5"; do
    # shellcheck disable=SC2086
    expect_text "1 of 1 done" "trains and evaluates with $more" "$vittm" run "$scratch/photos.yaml" \
        seeds=1 $more --db "$scratch/photos.db" --out "$scratch/runs"
done
# The commands of docs/training.md, "From end to end", with two epochs each.
PHOTOS=$photos VITTM_DB=$scratch/docs.db
export PHOTOS VITTM_DB
awk '/^## From end to end/ { on = 1; next } /^## / { on = 0 } on && /^    / { print substr($0, 5) }' docs/training.md |
    sed -e "s|\./vittm|$vittm|g" -e "s|[a-z]*\.safetensors|$scratch/&|g" -e "s| board| $scratch/board|" -e "s|loss.png|$scratch/&|" \
        -e "s|vittm run .*|& --threads 1 --out $scratch/docs train.epochs=2 train.warmup_steps=1|" > "$scratch/commands"
check "there are eight of them" test "$(wc -l < "$scratch/commands")" = 8
while read -r line; do
    expect_code 0 "docs: $(echo "$line" | cut -d' ' -f2-4)" sh -c "$line"
done < "$scratch/commands"
expect_text "12x12" "position tables were resampled" \
    "$vittm" weights import "$scratch/start.safetensors" experiments/photos-finetune.yaml --format csv
check "curves for TensorBoard" test -s "$scratch"/board/*/events.out.tfevents.vittm
check "and a figure" test -s "$scratch/loss.png"
finish
