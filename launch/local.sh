#!/usr/bin/env bash
# For one machine: a laptop, a workstation, a fresh virtual machine.
# Installs missing packages (as root on Debian), builds, then hands its words to the program:
#   launch/local.sh train configs/omniglot_maml.yaml
set -euo pipefail
root=$(CDPATH="" cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

"$root/tools/build.sh" release outerloop
exec "$root/build/release/outerloop" "$@"
