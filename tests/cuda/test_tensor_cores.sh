#!/bin/sh
# Attention in bf16 and tf32 is compiled to tensor-core instructions for the oldest architecture that is supported. What
# the assembler makes is read by cuobjdump where that is installed, else from the instructions' opcodes (the lowest 12
# bits of the first word of each 16 bytes; of HMMA: 0x23c).
. tests/support/sh.sh

nvcc=${NVCC-$(ls "${CUDA:-/usr/local/cuda}/bin/nvcc" 2>/dev/null || command -v nvcc || :)}
if [ -z "$nvcc" ]; then
    skip "tensor cores" "there is no nvcc"
    finish
fi

# products TYPE: how many tensor-core instructions attention with operands of this type has
products() {
    printf '#include "backend/cuda/kernels/attention_mma.h"\nextern "C" int x(const call<%s> &c) { return %s; }\n' "$1" \
        "forward<$1, 64, 64, 64, 1>(c)" > "$scratch/x.cu"
    compiled "$scratch/x.cu"
}
# compiled FILE.cu: the same of a file
compiled() {
    if ! "$nvcc" -std=c++17 -O3 -I. -cubin -gencode=arch=compute_80,code=sm_80 -o "$scratch/x.cubin" "$1" > "$scratch/log" 2>&1
    then
        head -n 5 "$scratch/log" >&2
        echo 0
    elif command -v cuobjdump > /dev/null; then
        cuobjdump -sass "$scratch/x.cubin" | grep -c HMMA || :
    else
        od -An -v -t x4 -w16 "$scratch/x.cubin" | awk 'substr($1, 6, 3) == "23c" { n++ } END { print n + 0 }'
    fi
}

# A tile of 64 keys is eight products wide, for scores and for their sums; loops over the depth may stay rolled.
n=$(products vt_bf16)
check "bf16: $n products on tensor cores" test "$n" -ge 32
n=$(products float)
check "tf32: $n products on tensor cores" test "$n" -ge 32
n=$(compiled backend/cuda/kernels/softmax.cu)
check "none in single precision" test "$n" = 0 -a -s "$scratch/x.cubin"
finish
