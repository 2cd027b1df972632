#!/usr/bin/env bash
# Runs every check of the repository: tools/test.sh [ctest words, such as -R name or -L label]
# The sanitizer builds hold only the tests labelled for them; the release build holds all tests,
# the lint checks and the install check among them. Skipped tests are listed at the end;
# OUTERLOOP_REQUIRE_READERS=1 fails those that lack another project's reader.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
jobs=$(nproc)
failed=()
skipped=$(mktemp)
trap 'rm -f "$skipped"' EXIT

tools/packages.sh --tests || exit
python=$(tools/python.sh)
[[ -z $python ]] || export OUTERLOOP_PYTHON=$python
run_tests() {  # preset, ctest words…
  local preset=$1
  shift
  # Addresses too random for ThreadSanitizer's map end its programs at their start.
  local fixed=()
  [[ $preset != tsan ]] || ! setarch -R true 2>/dev/null || fixed=(setarch -R)
  "${fixed[@]}" ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j "$jobs" "$@" || failed+=("$preset")
  tools/skipped.sh "build/$preset/Testing/Temporary/LastTest.log" >>"$skipped"
}

tools/build.sh release || exit
if (($# == 0)); then
  tools/build.sh dev sanitize_tests && run_tests dev -L '^sanitize$' || failed+=("dev build")
  tools/build.sh tsan tsan_tests && run_tests tsan -L '^tsan$' || failed+=("tsan build")
fi
run_tests release "$@"

if [[ -s $skipped ]]; then
  echo "outerloop: skipped tests, and why:" >&2
  sort -u "$skipped" >&2
fi
((${#failed[@]} == 0)) || { echo "outerloop: failed:" "${failed[@]}" >&2; exit 1; }
