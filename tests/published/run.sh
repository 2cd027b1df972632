#!/usr/bin/env bash
# Reproduces rows of tests/published/RESULTS.md: each is trained from its shipped config, tested, and
# written into the table. What was stopped goes on: run the same command again (exit code 75 asks for it).
#   tests/published/run.sh --list                         rows and how far they are
#   tests/published/run.sh ROW… | --all                   [--threads N] [--nice 19] [--max-minutes M]
#   tests/published/run.sh --table                        write the table alone
#   tests/published/run.sh --keep                         checkpoints of unfinished rows to unfinished/:
#                                                         another machine goes on from there; what
#                                                         classifiers reach so far, and the table
#   tests/published/run.sh --baselines                    simple models of the tables, and the table
#   tests/published/run.sh --letters FOLDER               Omniglot models on printed letters, and the table
set -euo pipefail
here=$(CDPATH="" cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v python3 >/dev/null || "$here/../../tools/packages.sh" --tests
exec python3 "$here/run.py" "$@"
