#!/bin/sh
# Attention, linear attention and products in bf16 and tf32 are compiled to tensor-core instructions for the oldest
# architecture that is supported, the copies of products to ones that go on meanwhile. What the assembler makes is read by
# cuobjdump where that is installed, else from the instructions' opcodes, the lowest 12 bits of the first word of each 16 bytes.
. tests/support/sh.sh

nvcc=${NVCC-$(ls "${CUDA:-/usr/local/cuda}/bin/nvcc" 2>/dev/null || command -v nvcc || :)}
if [ -z "$nvcc" ]; then
    skip "tensor cores" "there is no nvcc"
    finish
fi

# compiled FILE.cu: to $scratch/x.cubin, which is empty where that fails
compiled() {
    : > "$scratch/x.cubin"
    "$nvcc" -std=c++17 -O3 -I. -cubin -gencode=arch=compute_80,code=sm_80 -o "$scratch/x.cubin" "$1" > "$scratch/log" 2>&1 ||
        head -n 5 "$scratch/log" >&2
}
# instance HEADER PARAMETER CALL: the same of one instance of a template
instance() {
    printf '#include "backend/cuda/kernels/%s"\nextern "C" int x(%s) { return %s; }\n' "$1" "$2" "$3" > "$scratch/x.cu"
    compiled "$scratch/x.cu"
}
# how_many INSTRUCTION OPCODE: in the last compiled
how_many() {
    if command -v cuobjdump > /dev/null; then
        cuobjdump -sass "$scratch/x.cubin" | grep -c "$1" || :
    else
        od -An -v -t x4 -w16 "$scratch/x.cubin" | awk -v code="$2" 'substr($1, 6, 3) == code { n++ } END { print n + 0 }'
    fi
}
products() {
    how_many HMMA 23c
}
copies() {
    how_many LDGSTS fae
}

# A tile of 64 keys is eight products wide, for scores and for their sums; loops over the depth may stay rolled.
for type in vt_bf16 float; do
    instance attention_mma.h "const call<$type> &c" "forward<$type, 64, 64, 64, 1>(c)"
    n=$(products)
    check "attention of $type: $n products on tensor cores" test "$n" -ge 32
    instance linear_attention_mma.h "const linear_call<$type> &c" "linear_gradients<$type, 16, 64, 32>(c)"
    n=$(products)
    check "linear attention of $type: $n products on tensor cores" test "$n" -ge 32
    instance gemm_mma.h "const vt_gemm &g" "gemm_launch<gemm_mma<$type, 128, 128>, false, true>(g, nullptr)"
    n=$(products)
    check "a product of $type: $n on tensor cores" test "$n" -ge 16
    n=$(copies)
    check "and $n asynchronous copies" test "$n" -ge 4
done
compiled backend/cuda/kernels/softmax.cu
check "none in single precision" test "$(products)" = 0 -a "$(copies)" = 0 -a -s "$scratch/x.cubin"
finish
