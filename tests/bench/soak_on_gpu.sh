#!/usr/bin/env bash
# Ten minutes of training on the first GPU (tools/bench/soak.py), where OUTERLOOP_REQUIRE_GPU=1 asks for
# all that takes long; else the test is skipped:
#   soak_on_gpu.sh PYTHON OUTERLOOP
set -euo pipefail
if [[ ${OUTERLOOP_REQUIRE_GPU:-} != 1 ]]; then
  printf 'soak_on_gpu.sh:1: Skipped\n%s\n' \
    "a soak takes 10 minutes of a GPU: OUTERLOOP_REQUIRE_GPU=1 asks for it"
  exit 77
fi
exec "$1" "$(dirname "${BASH_SOURCE[0]}")/../../tools/bench/soak.py" --outerloop "$2"
