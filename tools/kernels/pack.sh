#!/usr/bin/env bash
# Writes build/release/kernels.pack, which a bundle carries: the GPU kernels of the configs, with other
# meta-batches too, and of what tools/bench/gpu.sh times. Kernels that are there already stay, and so
# does the whole file where nothing has changed. Exit 77: there is no NVRTC here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
pack=build/release/kernels.pack
list=build/release/kernels.list

for config in configs/*.yaml; do
  [[ $config == *_importance.yaml ]] ||
    printf '%s\n' "$config" "$config outer.meta_batch="{4,8,16,32,64,128,256}
done >$list
if command -v python3 >/dev/null; then
  python3 tools/bench/gpu.py --trainings build/release >>$list
else
  echo "kernels: without those of tools/bench/gpu.sh, as there is no python3" >&2
fi

sources=$({
  echo "${OUTERLOOP_DATA-}" # where configs find data sets, whose shapes are those of kernels
  [[ -z ${OUTERLOOP_DATA-} ]] || find -L "$OUTERLOOP_DATA" -type f -printf '%P %s %T@\n' | sort
  find configs -type f -print0 | sort -z | xargs -0 cat build/release/kernel_pack $list
} | sha256sum)
if [[ -s $pack && -e $pack.sources && $(<$pack.sources) == "$sources" ]]; then
  echo "kernels: those in $pack are up to date" >&2
  exit 0
fi
build/release/kernel_pack $pack <$list
echo "$sources" >$pack.sources
