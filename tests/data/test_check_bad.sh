# vittm data check: every malformed file of the collection that stands beside the tree, as its
# MANIFEST.tsv says; good and bad sets of each kind.
. tests/support/sh.sh

bad=${VITTM_SHARED:-../shared}/data/bad

# What a message must say, from the words of the manifest: its numbers and names.
words_of() {
    case $1 in
    05_*) echo "too large" ;;
    09_*) echo "label 255" ;;
    13_*) echo "duplicate key epochs" ;;
    15_*) echo "unknown key epocs" ;;
    16_*) echo "65500" ;;
    21_*) echo "label 200" ;;
    23_*) echo ":2:" ;;
    *) echo "$1" ;;
    esac
}

if [ -f "$bad/MANIFEST.tsv" ]; then
    while IFS='	' read -r file _ expected; do
        case $file in '#'*) continue ;; esac
        code=0
        "$vittm" data check "$bad/$file" > "$scratch/out" 2> "$scratch/err" || code=$?
        case $expected in
        *"or a decoded image"*) [ "$code" -le 1 ] && pass "$file" || fail "$file: exit code $code" ;;
        *)
            if [ "$code" -ne 1 ]; then
                fail "$file: exit code $code, $expected"
            elif [ "$(wc -l < "$scratch/out")" -ne 1 ] || ! grep -qF "$file" "$scratch/out"; then
                fail "$file: not one line that names it"
            elif ! grep -qF "$(words_of "$file")" "$scratch/out"; then
                fail "$file: $(cat "$scratch/out")"
            else
                pass "$file"
            fi
            ;;
        esac
    done < "$bad/MANIFEST.tsv"
    expect_text "optimizer.weight_decya" "both unknown keys are named" \
        "$vittm" data check "$bad/15_unknown_keys.yaml"
    expect_code 1 "all of them at once" "$vittm" data check "$bad"
else
    skip "malformed files" "data/bad is not beside this checkout"
fi

expect_code 0 "experiments are good" "$vittm" data check experiments
mkdir -p "$scratch/labels" "$scratch/cifar"
head -c 3073 /dev/zero > "$scratch/cifar/data_batch_1.bin"
expect_code 0 "a record of CIFAR-10" "$vittm" data check "$scratch/cifar"
head -c 3072 /dev/zero > "$scratch/cifar/data_batch_1.bin"
expect_code 1 "a cut record" "$vittm" data check "$scratch/cifar"
printf '\000\000\010\001\000\000\000\002\003\004' > "$scratch/t10k-labels-idx1-ubyte"
expect_code 0 "labels in IDX" "$vittm" data check "$scratch/t10k-labels-idx1-ubyte"
printf 'x' >> "$scratch/t10k-labels-idx1-ubyte"
expect_code 1 "too many of them" "$vittm" data check "$scratch/t10k-labels-idx1-ubyte"
expect_code 3 "nothing there" "$vittm" data check "$scratch/none"
finish
