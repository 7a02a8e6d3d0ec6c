# Segmentation from the command line: a run with its metrics and both kinds of latency rows, evaluations,
# the classes of one picture, ADE20K where its sample is at hand.
. tests/support/sh.sh

cat > "$scratch/seg.yaml" << 'END'
name: seg
measure: [cost, accuracy, latency]
objectives: {val/miou: max}
model: {family: vit, image_size: 32, classes: 11, dim: 16, depth: 1, heads: 2, patch: 8, decoder: {layers: 1}}
data: {dataset: shapes, train_size: 64, val_size: 12}
train: {objective: segment, epochs: 1, batch: 16, eval_batch: 4, warmup_epochs: 0}
latency: {batch: 1, min_time: 0.01, frames: 8, frames_skipped: 2}
END
check "a run" "$vittm" run "$scratch/seg.yaml" --out "$scratch/run" --db "$scratch/run/vittm.db"
query() { "$vittm" query "$1" --db "$scratch/run/vittm.db" --format csv | tail -n 1; }
check "mIoU and frames are columns" test "$(query 'SELECT "val/miou" > 0 AND "val/pixel_acc" > 0 AND "throughput/fps" > 0 FROM v_runs')" = 1
check "two protocols of latency" test "$(query "SELECT count(*) || sum(protocol LIKE 'frames:%') || max(batch) FROM v_latency")" = 211
expect_text "val/miou" "the table is of mIoU" "$vittm" table seg --db "$scratch/run/vittm.db" --metric val/miou
check "a report" "$vittm" report seg --db "$scratch/run/vittm.db" -o "$scratch/report.html" --no-figures
check "the report shows examples" grep -q 'id="examples".*' "$scratch/report.html"
weights=$(find "$scratch" -name weights.safetensors)
check "examples are left in the folder" test -s "$(dirname "$weights")/examples.png"

"$vittm" eval "$weights" --format csv 2> /dev/null | tail -n 1 | cut -d , -f 4 > "$scratch/again"
check "eval finds the run's mIoU" test "$(cut -c 1-8 "$scratch/again")" = "$(query 'SELECT "val/miou" FROM v_runs' | cut -c 1-8)"
check "a row a class" sh -c "test \$('$vittm' eval '$weights' --by-class --format csv | grep -c .) -eq 12"
expect_text "background" "classes have names" "$vittm" eval "$weights" --by-class
check "flip and scales" "$vittm" eval "$weights" train.segment.flip=true "train.segment.scales=[0.75, 1]" data.val_size=2

picture=$(dirname "$weights")/examples.png
check "one picture" sh -c "'$vittm' eval '$weights' --image '$picture' -o '$scratch/mask.png' --format csv > '$scratch/classes'"
check "its overlay is a PNG" sh -c "head -c 4 '$scratch/mask.png' | grep -q PNG"
check "its classes with their colours" grep -qE '^[0-9]+,[a-z]+,[0-9.]+,#[0-9a-f]{6}$' "$scratch/classes"
expect_text "-o FILE.png" "a picture needs a file" "$vittm" eval "$weights" --image "$picture"
expect_text "are of segmentation" "a classifier has no masks" "$vittm" eval random vit_ti16 --image "$picture" -o "$scratch/x.png" data.normalize=half
expect_text "name one" "random weights of what" "$vittm" eval random

if [ -n "${VITTM_SHARED:-}" ] && [ -d "$VITTM_SHARED/data/ade-mini" ]; then
    ade="data.dataset=ade20k data.root=$VITTM_SHARED/data/ade-mini data.normalize=half model.classes=150 data.val_size=0"
    # shellcheck disable=SC2086
    "$vittm" eval random "$scratch/seg.yaml" $ade train.segment.stride=24 --format csv > "$scratch/ade"
    check "ADE20K's sample: three images" grep -q '^random,ade20k,3,' "$scratch/ade"
    # shellcheck disable=SC2086
    expect_text "for 11 classes, this for 150" "weights for other classes start those anew" "$vittm" eval "$weights" "$scratch/seg.yaml" $ade data.val_size=1
else
    skip "ADE20K" "its sample is not beside this checkout"
fi
finish
