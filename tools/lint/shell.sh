#!/usr/bin/env bash
# Checks every shell script with shellcheck.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
find .ci launch tools tests -type f -print0 |
  xargs -0 grep -lIE '^#!(/usr)?/bin/(env )?(ba)?sh$' |
  xargs -r shellcheck
