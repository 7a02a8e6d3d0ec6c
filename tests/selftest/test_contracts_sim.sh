#!/bin/sh
# What the processor passes, the emulated device passes: kernels, ops, random graphs, every model.
. tests/support/sh.sh

if [ ! -f "$BUILD/backend-sim.so" ]; then
    skip "contracts on the emulated device" "backend-sim.so is not built (make backend-sim)"
    finish
fi
"$vittm" selftest --backend sim > "$scratch/report" 2>&1
code=$?
check "no contract fails: $(tail -n 1 "$scratch/report")" test "$code" -eq 0
grep '^not ok' "$scratch/report" | sed 's/^/    /'
ran=$(sed -n 's/^sim: \([0-9]*\) passed, 0 failed$/\1/p' "$scratch/report")
check "the device itself ran most of them: ${ran:-none}" test "${ran:-0}" -gt 300
finish
