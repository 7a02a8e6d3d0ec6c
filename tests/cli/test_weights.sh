# vittm weights, and training that starts from weights: what a run leaves is exported, imported, shown and trained on.
. tests/support/sh.sh

export VITTM_DB="$scratch/results.db"
cat > "$scratch/vit.yaml" <<'YAML'
name: vit
seeds: 1
model: {family: vit, image_size: 16, dim: 16, depth: 1, heads: 2, patch: 4, classes: 10}
data: {dataset: shapes, train_size: 32, val_size: 16}
train: {epochs: 1, batch: 16, eval_batch: 16, warmup_epochs: 0}
measure: [accuracy]
YAML
cat > "$scratch/vittm.yaml" <<'YAML'
name: vittm
seeds: 1
model: {family: vittm, image_size: 16, dim: 16, depth: 1, heads: 2, memory_patch: 4, process_patch: 8,
        upstream_patch_size: 4, latent_dim: 8, classes: 10}
data: {dataset: shapes, train_size: 32, val_size: 16}
train: {epochs: 1, batch: 16, eval_batch: 16, warmup_epochs: 0}
measure: [accuracy]
YAML

check "a run" "$vittm" run "$scratch/vit.yaml" --jobs 1
run=$("$vittm" ls --format csv 2> /dev/null | tail -n 1 | cut -d, -f1)
weights=$scratch/vit.safetensors
check "export of a run" "$vittm" weights export "$run" -o "$weights"
expect_code 2 "export to nowhere" "$vittm" weights export "$run"
expect_code 2 "export of no run" "$vittm" weights export zzzz -o "$scratch/none.safetensors"
check "show names the run" sh -c "'$vittm' weights show '$weights' --format csv | grep -q '^metadata,run,.*$run'"
check "show as JSON" sh -c "'$vittm' weights show '$weights' --format json | grep -q '\"shape\": *\"(48, 16)\"'"
check "all of it is used again" sh -c "'$vittm' weights import '$weights' --format csv | tail -n +2 | grep -vq '^used,'; [ \$? -eq 1 ]"
check "export of a file" "$vittm" weights export "$weights" -o "$scratch/again.safetensors"
tensors() { "$vittm" weights show "$1" --format csv | grep '^tensor,'; }
check "has the same tensors" [ "$(tensors "$weights")" = "$(tensors "$scratch/again.safetensors")" ]
accuracy() { "$vittm" eval "$@" --format csv | tail -n 1 | cut -d, -f3-6; }
check "and the same accuracy" [ "$(accuracy "$weights")" = "$(accuracy "$scratch/again.safetensors")" ]

table() { "$vittm" weights import "$weights" "$scratch/vittm.yaml" --format csv "$@"; }
expect_text "used,memory_embedder.proj.weight,patch_embed.proj.weight" "a ViT into a ViTTM" table
expect_text "missing,process_embedder.proj.weight,," "what a ViT has not" table
expect_text "ignored,,norm.weight" "what a ViTTM has not" table
expect_text "kernel 4x4 resized to 8x8 by interpolation" "spread over both streams" \
    table train.weights_spread=true train.weights_patch=interpolate
expect_text "for 10 classes, this for 5" "a classifier for other classes" table model.classes=5
expect_code 2 "another width" table model.dim=32
expect_text "has the shape (16), this model's" "names tensor and shapes" table model.dim=32
check "the fitted weights are written" table -o "$scratch/fitted.safetensors"
expect_text "seed" "with what made them" "$vittm" weights show "$scratch/fitted.safetensors"
check "and evaluated" "$vittm" eval "$scratch/fitted.safetensors"
expect_text "reshaped" "at another image size, resampled" "$vittm" eval "$scratch/fitted.safetensors" model.image_size=24

cells() { "$vittm" plan "$scratch/vittm.yaml" "$@" --format csv; }
cp "$weights" "$scratch/copy.safetensors"
check "the path is no part of a cell" [ "$(cells train.weights="$weights" | tail -n 1 | cut -d, -f1-2)" = \
    "$(cells train.weights="$scratch/copy.safetensors" | tail -n 1 | cut -d, -f1-2)" ]
expect_text "has the shape" "plan refuses weights of another width" cells train.weights="$weights" model.dim=32
# A whole file of another model is no fault of the machine's.
expect_code 2 "a run of another width" "$vittm" run "$scratch/vittm.yaml" train.weights="$weights" model.dim=32 --jobs 1
expect_code 2 "an evaluation of another width" "$vittm" eval "$weights" "$scratch/vit.yaml" model.dim=32
expect_code 2 "of another depth" "$vittm" eval "$weights" "$scratch/vit.yaml" model.depth=2
expect_text "another depth" "which is said" "$vittm" eval "$weights" "$scratch/vit.yaml" model.depth=2
expect_code 2 "a file with tensors too many" "$vittm" eval "$scratch/fitted.safetensors" "$scratch/vit.yaml"
expect_code 3 "missing weights" cells train.weights="$scratch/none.safetensors"
expect_text "train.weights" "are named" cells train.weights="$scratch/none.safetensors"
head -c 700 "$weights" > "$scratch/cut.safetensors"
expect_code 3 "damaged weights" "$vittm" weights show "$scratch/cut.safetensors"
expect_code 3 "in a plan" cells train.weights="$scratch/cut.safetensors"
expect_code 3 "in a run" "$vittm" run "$scratch/vittm.yaml" train.weights="$scratch/cut.safetensors"
expect_code 3 "in costs" "$vittm" cost "$scratch/vittm.yaml" train.weights="$scratch/cut.safetensors"
expect_code 2 "a model that cannot be" "$vittm" run "$scratch/vittm.yaml" model.heads=7
check "training starts from weights" "$vittm" run "$scratch/vittm.yaml" train.weights="$weights" --jobs 1
new=$("$vittm" ls --where "experiment = 'vittm'" --format csv 2> /dev/null | tail -n 1 | cut -d, -f1)
expect_text "used, " "and its log says so" "$vittm" show "$new" --log

: > "$scratch/weights.pth"
expect_code 2 "a file of torch.save" "$vittm" weights show "$scratch/weights.pth"
expect_text "weights_only=True" "how to convert it" "$vittm" weights import "$scratch/weights.pth" vit_s16
expect_code 2 "an unknown action" "$vittm" weights exprot "$weights"
expect_text "did you mean export" "and the nearest" "$vittm" weights exprot "$weights"
finish
