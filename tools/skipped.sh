#!/usr/bin/env bash
# Prints "program: place: reason" for each test that a CTest log says was skipped:
# tools/skipped.sh build/release/Testing/Temporary/LastTest.log
# CTest itself counts a program as passed when some of its tests were skipped.
set -euo pipefail
awk '
  /^[0-9]+\/[0-9]+ Test(ing)?: / { program = $NF }
  reason { print "  " program ": " place ": " $0; reason = 0 }
  /: Skipped$/ { place = $1; sub(/:$/, "", place); sub(/.*\//, "", place); reason = 1 }
' "$1"
