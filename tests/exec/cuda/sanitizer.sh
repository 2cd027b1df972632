#!/usr/bin/env bash
# Runs tests of ops on a GPU under one of compute-sanitizer's tools:
#   sanitizer.sh memcheck|racecheck TEST_PROGRAM PROBE FILTER
# PROBE is a short test that skips where there is no GPU.
# Skipped where there is no GPU or no compute-sanitizer; a failure where OUTERLOOP_REQUIRE_GPU=1.
set -uo pipefail
tool=$1 program=$2 probe=$3 filter=$4
if ! said=$("$program" --gtest_brief=1 "--gtest_filter=$probe" 2>&1); then
  echo "$said"
  exit 1
elif [[ $said == *Skipped* || $said == *SKIPPED* ]]; then
  echo "$said"
  exit 77
fi
sanitizer=$(PATH=$PATH:${CUDA_HOME:-/usr/local/cuda}/bin command -v compute-sanitizer)
if [[ -z $sanitizer ]]; then
  echo "there is no compute-sanitizer, neither in PATH nor in ${CUDA_HOME:-/usr/local/cuda}/bin"
  [[ ${OUTERLOOP_REQUIRE_GPU:-} == 1 ]] && exit 1
  exit 77
fi
exec "$sanitizer" --tool "$tool" --error-exitcode 1 "$program" --gtest_brief=1 "--gtest_filter=$filter"
