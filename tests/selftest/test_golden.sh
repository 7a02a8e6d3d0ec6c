# Reference tensors: the selection in the tree, and all of them where they stand beside it.
. tests/support/sh.sh
"$vittm" selftest --verbose --threads 2 --golden tests/golden || exit 1
if [ -n "${VITTM_SHARED:-}" ] && [ -d "$VITTM_SHARED/golden/model" ]; then
    "$vittm" selftest --verbose --golden "$VITTM_SHARED/golden/model" || exit 1
    "$vittm" selftest --verbose --golden "$VITTM_SHARED/golden/segmentation"
else
    echo "skip golden: the full set is not beside this checkout"
fi
