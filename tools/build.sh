#!/usr/bin/env bash
# Builds outerloop: tools/build.sh [release|dev|tsan] [target…]  ->  build/<preset>/outerloop
# Installs missing packages first. Says what it does on stderr, so that stdout stays the caller's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset=${1:-release}
shift || true

tools/packages.sh
{
  [[ -f build/$preset/build.ninja ]] || cmake --preset "$preset"
  cmake --build "build/$preset" --target "${@:-all}"
} >&2
