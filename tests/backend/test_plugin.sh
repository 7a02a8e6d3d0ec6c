#!/bin/sh
# Devices in shared libraries: each way in which loading one fails says what is wrong in one line, with exit
# code 3 where the device was asked for by name; `auto` goes on with the processor.
. tests/support/sh.sh

CC=${CC:-cc}
program=$PWD/$vittm
folder=$PWD/$scratch
mkdir -p "$folder/bin" "$folder/driver" "$folder/plugins"
cp "$program" "$folder/bin/vittm" # nothing stands beside it
export VITTM_HOME="$PWD"
export VITTM_BACKEND_DIR="$folder/plugins"
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_odr_violation=0"

library() { # library FILE [FLAGS...]: compiles stdin
    file=$1
    shift
    $CC -x c -shared -fPIC -o "$file" -I. -I"$BUILD/generated" -D_GNU_SOURCE - "$@"
}
on_cuda() { LD_LIBRARY_PATH="$folder/driver" "$folder/bin/vittm" bench vit_ti16 --batch 1 --min-time 0.01 --device cuda; }
refused() { # refused NAME TEXT
    expect_code 3 "$1: exit code 3" on_cuda
    expect_text "$2" "$1: said" on_cuda
    lines=$(wc -l < "$scratch/out")
    check "$1: in one line" [ "$lines" -eq 1 ]
}

if ldconfig -p 2>/dev/null | grep -q 'libcuda\.so\.1'; then
    skip "no driver" "this machine has one"
else
    refused "no driver" "its driver is not installed"
fi

echo 'int nothing;' | library "$folder/driver/libcuda.so.1"
refused "no plugin" "there is no backend-cuda.so beside the program"

echo 'text' > "$folder/plugins/backend-cuda.so"
refused "no library" "backend-cuda.so cannot be loaded: "

echo 'int gone(void) { return 1; }' | library "$folder/libgone.so"
echo 'int gone(void); int call(void) { return gone(); }' |
    library "$folder/plugins/backend-cuda.so" -L"$folder" -lgone
rm "$folder/libgone.so"
refused "a library that is missing" "libgone.so: cannot open shared object file"

echo 'int nothing;' | library "$folder/plugins/backend-cuda.so"
refused "another library of that name" "is no backend of vittm"

library "$folder/plugins/backend-cuda.so" << 'END'
#include "backend/plugin.h"
#undef PLUGIN_ABI
#define PLUGIN_ABI "of yesterday"
static const struct backend row;
BACKEND_PLUGIN(row)
END
refused "another build" "backend-cuda.so is of another build (ABI of yesterday, this program has "

library "$folder/plugins/backend-cuda.so" << 'END'
#include "backend/plugin.h"
#include "base/error.h"
#include <stdio.h>
#include <string.h>
static int probe(const struct backend_options *o, char *device, size_t size, struct error *err)
{
    (void)o, (void)device, (void)size;
    err->code = EXIT_ENVIRONMENT;
    strcpy(err->msg, "no CUDA device: it is a fake");
    return -1;
}
static const struct backend row = {.choice = {.name = "cuda"}, .value_size = 4, .probe = probe};
BACKEND_PLUGIN(row)
END
refused "no device" "no CUDA device: it is a fake"
expect_text "no CUDA device: it is a fake" "doctor says so too" \
    env LD_LIBRARY_PATH="$folder/driver" "$folder/bin/vittm" doctor --format csv
expect_text "no CUDA device: it is a fake" "and list devices" \
    env LD_LIBRARY_PATH="$folder/driver" "$folder/bin/vittm" list devices --format csv
expect_code 0 "auto goes on with the processor" \
    env LD_LIBRARY_PATH="$folder/driver" "$folder/bin/vittm" bench vit_ti16 --batch 1 --min-time 0.01

expect_code 2 "a device's number is a number" "$program" bench vit_ti16 --device cuda:first
expect_code 2 "the processor is one" "$program" bench vit_ti16 --device cpu:1

# The real libraries, where they were built.
unset VITTM_BACKEND_DIR
stub=${CUDA:-/usr/local/cuda}/lib64/stubs/libcuda.so
abi=$(sed 's/.*"\(.*\)"/\1/' "$BUILD/generated/plugin_abi.h")
if [ -f "$BUILD/backend-cuda.so" ] && ! grep -q "$abi" "$BUILD/backend-cuda.so"; then
    skip "backend-cuda.so" "left from an older build (make NVCC= does not renew it)"
elif [ -f "$BUILD/backend-cuda.so" ] && [ -f "$stub" ] && [ "$BUILD" = build/release ]; then
    ln -sf "$stub" "$folder/driver/libcuda.so.1"
    with_stub() { LD_LIBRARY_PATH="$folder/driver" "$program" bench vit_ti16 --device cuda; }
    expect_code 3 "backend-cuda.so with the toolkit's stub of a driver: exit code 3" with_stub
    expect_text "no CUDA device: " "backend-cuda.so with the toolkit's stub of a driver: said" with_stub
    check "backend-cuda.so exports one symbol" sh -c \
        "[ \"\$(nm -D --defined-only '$BUILD/backend-cuda.so' | awk '{print \$3}')\" = vt_backend_entry ]"
else
    skip "backend-cuda.so" "not built here, or the toolkit has no stub of a driver"
fi
if [ -f "$BUILD/backend-sim.so" ]; then
    expect_text "sim,usable" "backend-sim.so is usable" "$program" list devices --format csv
    expect_code 3 "an emulated machine without a device" \
        env VT_SIM_DEVICES=0 "$program" bench vit_ti16 --device sim
    expect_code 3 "sim:1 is not there" "$program" bench vit_ti16 --device sim:1
else
    skip "backend-sim.so" "not built here (make backend-sim)"
fi
finish
