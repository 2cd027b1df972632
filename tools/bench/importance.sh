#!/usr/bin/env bash
# Times the importance of image patches for a learner that adapts, beside the same loop in PyTorch, and on
# two ranks, and writes tools/bench/IMPORTANCE.md and importance.json. Wants a quiet machine with two cores;
# about 20 minutes. PyTorch comes from build/peers (tools/bench/cpu.sh makes it) or from --python.
#   tools/bench/importance.sh [--rounds N] [--tasks N] [--python FILE] [--outerloop FILE]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
case " $* " in
  *' -h '* | *' --help '* | *' --outerloop'*) ;;
  *) tools/build.sh release outerloop ;;
esac
exec python3 tools/bench/importance.py "$@"
