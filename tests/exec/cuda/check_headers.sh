#!/usr/bin/env bash
# Compiles the device headers for old, present and coming GPUs, warnings as errors:
#   check_headers.sh NVCC SOURCE_FOLDER
set -euo pipefail
nvcc=$1 source=$2
if [[ ! -x $nvcc ]]; then
  printf 'check_headers.sh:1: Skipped\nthere is no nvcc\n'
  exit 77
fi
newest=$("$nvcc" --list-gpu-arch | sort -t_ -k2 -n | tail -1)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$nvcc" -std=c++17 -Werror all-warnings -Xcompiler -Wall,-Wextra,-Werror -I"$source/src" \
  -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code=sm_90 \
  -gencode "arch=$newest,code=$newest" \
  -c "$source/tests/exec/cuda/headers.cu" -o "$folder/headers.o"
echo "compiled for sm_80, sm_90 and $newest"
