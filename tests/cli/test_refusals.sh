# Combinations that cannot work are refused before anything runs: the reason names the keys and the exit code is 2 (3 where a
# damaged file itself is asked for), and nothing is left in the database.
. tests/support/sh.sh

export VITTM_DB="$scratch/results.db"
make_experiment() {
    cat > "$scratch/$1.yaml" <<YAML
name: $1
seeds: 1
model: {$2}
data: {dataset: shapes, train_size: 32, val_size: 16}
train: {epochs: 1, batch: 16, eval_batch: 16, warmup_epochs: 0}
measure: [accuracy]
YAML
}
tower="image_size: 32, dim: 16, depth: 2, heads: 2, classes: 10"
make_experiment vittm "family: vittm, $tower, memory_patch: 4, process_patch: 8, latent_dim: 8"
make_experiment vit "family: vit, $tower, patch: 4"
make_experiment lookupvit "family: lookupvit, $tower, patch: 4, compressed_tokens: 3"

# refused FILE PART KEY=VALUE...: by what counts and by what plans.
refused() {
    file=$scratch/$1.yaml
    part=$2
    shift 2
    expect_text "$part" "the reason: $*" "$vittm" cost "$file" "$@"
    expect_code 2 "cost refuses $*" "$vittm" cost "$file" "$@"
    expect_text "$part" "plan gives it too: $*" "$vittm" plan "$file" --format csv "$@"
}

check "the experiments themselves are planned" sh -c "for f in vittm vit lookupvit; do '$vittm' cost '$scratch'/\$f.yaml || exit; done"

# A head or gate with as many weights as tokens, behind a memory block that shortens the memory.
for head in token_summary dyna; do
    refused vittm "model.rw_head $head needs a fixed number of memory tokens, which model.memory_block conv changes" \
        model.rw_head=$head model.memory_block=conv
done
refused vittm "model.fusion add_erase needs a fixed number of memory tokens, which model.memory_block conv changes" \
    model.fusion=add_erase model.memory_block=conv

# More merged than half of the tokens: 64 and a class token, 64 of the memory, 16 of the process stream.
refused vit "model.reduce.r asks block 0 to merge 33 of 65 tokens: at most 32" model.reduce.method=tome model.reduce.r=33
refused vit "model.reduce.r 33 is more than half of the 65 tokens: at most 32" model.reduce.method=mctf model.reduce.r=33
refused vittm "to merge 9 of 16 tokens: at most 8" model.reduce.method=tome model.reduce.r=9
refused vittm "to merge 33 of 64 tokens: at most 32" model.reduce.method=tome model.reduce.r=33 model.reduce.stream=memory
refused vittm "model.fusion add_erase needs the same number of tokens in all layers" \
    model.reduce.method=tome model.reduce.r=2 model.fusion=add_erase
refused vittm "model.reduce.method tome takes apart" model.reduce.method=tome model.reduce.r=2 model.reduce.stream=memory \
    model.memory_block=conv

# A grid larger than the map that it is pooled from.
refused vittm "model.process_grid 9 is larger than the memory grid 8" model.process_init=downsample model.process_grid=9
refused lookupvit "model.compressed_tokens 9 is larger than the patch grid 8" model.compressed_tokens=9

# A head that does not look at who asks, under a fusion that drops who asked.
refused vittm "model.rw_head dyna does not look at the tokens that ask and model.fusion erase drops them" \
    model.rw_head=dyna model.fusion=erase

# A second input that leaves the image unread, does not divide, or is no data set's.
second() { refused vittm "$@" model.memory_input=second; }
second "model.process_init latent do not look at it (choose patch)" model.process_init=latent
second "model.process_init downsample do not look at it (choose patch)" model.process_init=downsample model.process_grid=2
second "of 48 and 32 pixels (model.image_size) one must be a multiple of the other" model.second.image_size=48
second "does not divide an image of 64 pixels" model.second.image_size=64 model.memory_patch=12
second "train.objective segment has one input (choose image)" train.objective=segment
given="model.memory_input=second model.second.view=given"
# shellcheck disable=SC2086  # one argument an option
check "a tensor that no data set has is counted" "$vittm" cost "$scratch/vittm.yaml" $given
# shellcheck disable=SC2086
expect_text "no data set supplies given: such a model can be counted and timed, not trained" "but not trained" \
    "$vittm" run "$scratch/vittm.yaml" $given --jobs 1
# shellcheck disable=SC2086
expect_code 2 "a run of it is refused" "$vittm" run "$scratch/vittm.yaml" $given --jobs 1
expect_text "which are not mixed as images are" "a silhouette of mixed images" "$vittm" run "$scratch/vittm.yaml" \
    model.memory_input=second model.second.view=silhouette data.mix.mixup_alpha=0.8 --jobs 1

# Too little data for one update, or for one at the full rate: said before a worker finds out.
for command in plan run; do
    expect_text "train.batch 16: shapes has only 10 training images" "$command: less than a batch" \
        "$vittm" $command "$scratch/vit.yaml" data.train_size=10
    expect_code 2 "$command: its exit code" "$vittm" $command "$scratch/vit.yaml" data.train_size=10
    expect_text "leaves none of the" "$command: nothing but warm-up" "$vittm" $command "$scratch/vit.yaml" train.warmup_steps=2
    expect_text "shapes has 10 classes" "$command: other classes" "$vittm" $command "$scratch/vit.yaml" model.classes=7
    expect_code 2 "$command: a mistyped device" "$vittm" $command "$scratch/vit.yaml" --device gpu
done

# What is no experiment, and what the command line cannot set.
expect_text "$scratch: is a folder" "a folder" "$vittm" plan "$scratch"
expect_text "x/y.yml: no such file" "a file that is not there" "$vittm" plan x/y.yml
expect_text "expected key=value, or a file or model first" "a key without a value" "$vittm" cost vit_s16 model.dim
expect_text "command line: grid: is set in the file alone" "a grid" "$vittm" plan "$scratch/vit.yaml" grid=3
expect_text "seeds: no value" "no seeds" "$vittm" plan "$scratch/vit.yaml" "seeds=[]"
check "what is measured" "$vittm" plan "$scratch/vit.yaml" measure=cost
expect_text "keys have no dashes: model.dim=" "a key as an option" "$vittm" plan "$scratch/vit.yaml" --model.dim=16
expect_text "unexpected argument =: quote" "blanks around =" "$vittm" plan "$scratch/vit.yaml" model.dim = 16
expect_text "(one of models, devices, metrics" "the lists" "$vittm" list

# Which classifier, where there is none or one.
refused vittm "train.objective mae has no classifiers" train.objective=mae train.eval_head=mean
refused vittm "train.objective segment has no classifiers" train.objective=segment model.classes=11 train.eval_head=process
expect_text "train.eval_head" "one classifier" "$vittm" plan "$scratch/vit.yaml" train.eval_head=mean
expect_code 2 "is not chosen from" "$vittm" plan "$scratch/vit.yaml" train.eval_head=mean

# Tokens that are left out, where weights count them.
for head in token_summary dyna; do
    refused vittm "model.rw_head $head depends on the number of tokens" train.objective=mae model.rw_head=$head
done
refused vittm "model.fusion add_erase depends on the number of tokens" train.objective=mae model.fusion=add_erase

# Damaged weights: a header of three tensors of 8 bytes, and where each is said to lie.
weights_file() {
    header="{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[$1]},\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[$2]}}"
    # shellcheck disable=SC2059  # the format is the length's byte
    {
        printf "\\$(printf %o ${#header})\0\0\0\0\0\0\0%s" "$header"
        head -c "$3" /dev/zero
    } > "$scratch/weights.safetensors"
}
damaged() {
    part=$1
    shift
    weights_file "$@"
    file=$scratch/weights.safetensors
    expect_text "$part" "damaged: $part" "$vittm" weights show "$file"
    expect_code 3 "show stops: $part" "$vittm" weights show "$file"
    expect_text "$part" "not imported: $part" "$vittm" weights import "$file" "$scratch/vit.yaml"
    expect_code 3 "import stops: $part" "$vittm" weights import "$file" "$scratch/vit.yaml"
    expect_text "$part" "nothing to start from: $part" "$vittm" run "$scratch/vit.yaml" train.weights="$file" --jobs 1
    expect_code 3 "run has no cell: $part" "$vittm" run "$scratch/vit.yaml" train.weights="$file" --jobs 1
}
weights_file 0,8 8,16 16
check "a whole file is read" "$vittm" weights show "$scratch/weights.safetensors"
damaged "weights.safetensors: tensor b: overlaps tensor a" 0,8 4,12 12
damaged "not within" 0,8 8,16 12
damaged "4 bytes before it" 0,8 12,20 20
damaged "4 bytes at the end" 0,8 8,16 20

# And nothing ran.
runs=$("$vittm" ls --format csv 2> /dev/null | tail -n +2 | wc -l)
check "no refused cell became a run" test "$runs" -eq 0
finish
