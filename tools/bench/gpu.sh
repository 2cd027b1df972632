#!/usr/bin/env bash
# Checks outerloop on this machine's NVIDIA GPU, times it and its peers there in turn, and writes
# tools/bench/GPU.md and gpu.json. At most 9 minutes; what the time does not allow is named, and another
# run with --continue makes up for it.
#   tools/bench/gpu.sh [--outerloop FILE] [--minutes M] [--out FOLDER] [--continue GPU.JSON] [--no-peers]
#     [--cpu]
# The program is FILE, with check_reference beside it; else build/release/outerloop, brought up to date
# where CMake is there; else the bundle in build/bundle/outerloop (tools/bundle.sh makes it on another
# machine). The peers are the JAX and PyTorch of python3, or those of build/peers. --cpu: tiny sizes on
# the processor, to try this.
# Exit code 0: all checks held and outerloop ran; 1: not so, the table says what; 2: bad usage, no program
# or no GPU. What peers do changes nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
built=build/release/outerloop
bundle=build/bundle/outerloop/bin/outerloop
program=()
case " $* " in
  *' -h '* | *' --help '* | *' --outerloop'*) ;;
  *)
    if [[ ! -x $bundle || -f build/release/build.ninja ]] && command -v cmake >/dev/null; then
      mkdir -p build
      timeout 240 tools/build.sh release outerloop check_reference >build/gpu_bench_build.log 2>&1 ||
        echo "outerloop: no build here: see build/gpu_bench_build.log" >&2
    fi
    for file in "$built" "$bundle"; do
      [[ -x $file ]] && program=(--outerloop "$file") && break
    done
    [[ ${#program[@]} -gt 0 ]] || {
      echo "outerloop: nothing to time: bring a bundle (tools/bundle.sh) and name its" \
        "bin/outerloop with --outerloop" >&2
      exit 2
    }
    ;;
esac
exec python3 tools/bench/gpu.py --spent "$SECONDS" "${program[@]}" "$@"
