#!/usr/bin/env bash
# Runs every lint check, that of clang-tidy on what is in build/release, then prints the table of
# sizes. The suite runs the checks too (label lint).
set -uo pipefail
here=$(CDPATH="" cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
status=0
"$here/layers.py" || status=1
"$here/format.sh" || (($? == 77)) || status=1
"$here/shell.sh" || status=1
"$here/tidy.py" || (($? == 77)) || status=1
"$here/sizes.py"
exit "$status"
