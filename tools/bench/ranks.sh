#!/usr/bin/env bash
# Times a training of Omniglot conv4 as one plain process, as one MPI rank and as two on two cores, beside
# two processes that have nothing to do with each other, and writes tools/bench/RANKS.md and ranks.json.
# Wants a quiet machine with two cores or more; about 8 minutes.
#   tools/bench/ranks.sh [--rounds N] [--iterations N] [--outerloop FILE]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
case " $* " in
  *' -h '* | *' --help '* | *' --outerloop'*) ;;
  *) tools/build.sh release outerloop ;;
esac
exec python3 tools/bench/ranks.py "$@"
