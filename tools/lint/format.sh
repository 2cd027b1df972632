#!/usr/bin/env bash
# Checks that the C++ sources are as clang-format 14 (Debian 12) leaves them.
#   tools/lint/format.sh [--fix]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
formatter=$(command -v clang-format-14 || command -v clang-format) || {
  echo "format.sh: no clang-format; tools/packages.sh --tests installs it" >&2
  exit 1
}
if ! "$formatter" --version | grep -q 'version 14\.'; then
  printf 'format.sh:1: Skipped\n%s is not version 14, which the sources follow\n' "$formatter"
  exit 77
fi
clang_format() {
  find include src tests tools \( -name '*.h' -o -name '*.cpp' -o -name '*.cu' \) -print0 |
    xargs -0 -P "$(nproc)" -n 16 "$formatter" "$@"
}

if [[ ${1:-} == --fix ]]; then
  clang_format -i
elif ! complaints=$(clang_format --dry-run -Werror 2>&1); then
  sed -n 's/^\([^ :]*\):[0-9]*:.*error:.*/\1: not formatted (tools\/lint\/format.sh --fix)/p' \
    <<<"$complaints" | sort -u
  exit 1
fi
