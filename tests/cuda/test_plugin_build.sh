#!/bin/sh
# backend-cuda.so as it was built: no kernel spills registers, and nothing but its entry is exported.
. tests/support/sh.sh

if [ ! -f "$BUILD/backend-cuda.so" ]; then
    skip "the CUDA plugin" "backend-cuda.so is not built (no nvcc)"
    finish
fi
logs=$(find "$BUILD/cuda" -name '*.cu.o.log')
spills=$(cat $logs | grep -E '[1-9][0-9]* bytes spill (stores|loads)' | sort -u)
check "the assembler's notes on every kernel are there" test -n "$logs"
check "no kernel spills registers${spills:+: $spills}" test -z "$spills"
exported=$(nm -D --defined-only "$BUILD/backend-cuda.so" | awk '{ print $3 }' | grep -v '^VITTM' | tr '\n' ' ')
check "one exported name: $exported" test "$(echo "$exported" | wc -w)" = 1
finish
