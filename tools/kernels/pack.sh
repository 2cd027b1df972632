#!/usr/bin/env bash
# Writes build/release/kernels.pack, which a bundle carries: the GPU kernels of the configs and of what
# tools/bench/gpu.sh times. Those that are there already stay. Exit 77: there is no NVRTC here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

for config in configs/*.yaml; do
  [[ $config == *_importance.yaml ]] || echo "$config"
done >build/release/kernels.list
if command -v python3 >/dev/null; then
  python3 tools/bench/gpu.py --trainings build/release >>build/release/kernels.list
else
  echo "kernels: without those of tools/bench/gpu.sh, as there is no python3" >&2
fi
build/release/kernel_pack build/release/kernels.pack <build/release/kernels.list
