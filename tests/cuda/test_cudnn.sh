# cuDNN itself says whether each attention graph has an engine on sm_80 and sm_90. No GPU is needed: the toolkit's stub
# of the driver is enough for cuDNN to load.
. tests/support/sh.sh

ask=$BUILD/cuda/ask_cudnn
stub=${CUDA:-/usr/local/cuda}/lib64/stubs/libcuda.so
for device in sm80 sm90; do
    name="cuDNN has engines for attention on $device"
    if [ ! -x "$ask" ]; then
        skip "$name" "cuDNN is not installed here"
    elif [ ! -e "$stub" ]; then
        skip "$name" "there is no $stub"
    else
        mkdir -p "$scratch/driver"
        ln -sfn "$stub" "$scratch/driver/libcuda.so.1"
        check "$name" env LD_LIBRARY_PATH="$scratch/driver" "$ask" "tests/cuda/device-$device.json"
    fi
done
finish
