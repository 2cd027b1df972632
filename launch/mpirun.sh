#!/usr/bin/env bash
# For hosts that you reach by ssh and that share one folder, without a scheduler: one rank on each.
#   launch/mpirun.sh --hostfile hosts -- train configs/omniglot_maml.yaml run_dir=runs/omniglot
# Words before -- go to mpirun. `outerloop supervise -- launch/mpirun.sh …` restarts after failures.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

launcher=()
while (($#)) && [[ $1 != -- ]]; do
  launcher+=("$1")
  shift
done
if (($# < 2)); then
  echo "usage: launch/mpirun.sh [words for mpirun] -- COMMAND [words for outerloop]" >&2
  exit 2
fi
shift
# shellcheck source=/dev/null
source "$root/launch/env.sh"
# The threads of one rank take all cores of its host, unless you say how many ranks there are.
how_many=' --?(n|np|c|N|npernode|npersocket|map-by) '
[[ " ${launcher[*]} " =~ $how_many ]] || launcher+=(--map-by ppr:1:node)
for name in OUTERLOOP_DATA HDF5_USE_FILE_LOCKING; do
  [[ -z ${!name:-} ]] || launcher+=(-x "$name")
done
# Below, -q keeps back what mpirun says when a rank ends badly, its own complaints too: about a word
# that it does not know, a file that is not there, a host that does not answer. So it tries first.
mpirun "${launcher[@]}" true || exit
exec mpirun -q "${launcher[@]}" "$OUTERLOOP" "$@"
