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
finish
