#!/usr/bin/env bash
# Recomputes a reference file on the first GPU, in both element types:
#   reference_on_gpu.sh CHECK_REFERENCE FILE
# Where there is no GPU that must be said in one line with exit code 2; the test is then skipped, or
# fails where OUTERLOOP_REQUIRE_GPU=1.
set -uo pipefail
program=$1 file=$2
for dtype in f64 f32; do
  output=$("$program" "$file" --device cuda --dtype "$dtype" 2>&1)
  status=$?
  echo "$output"
  if ((status == 2)); then
    [[ $(wc -l <<<"$output") == 1 && $output == "check_reference: "* ]] || exit 1
    [[ ${OUTERLOOP_REQUIRE_GPU:-} == 1 ]] && exit 1
    printf 'reference_on_gpu.sh:1: Skipped\n%s\n' "$output"
    exit 77
  fi
  ((status == 0)) || exit 1
done
