#!/usr/bin/env bash
# For hosts that you reach by ssh and that share one folder, without a scheduler: one rank on each.
#   launch/mpirun.sh --hostfile hosts -- train configs/omniglot_maml.yaml run_dir=runs/omniglot
# Words before -- go to mpirun. `outerloop supervise -- launch/mpirun.sh …` restarts after failures.
set -euo pipefail
root=$(CDPATH="" cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

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
for name in OUTERLOOP_{CACHE,CUBLAS,DATA,ISA,NCCL} HDF5_USE_FILE_LOCKING "${!NCCL_@}"; do
  [[ -z ${!name:-} ]] || launcher+=(-x "$name")
done
# Below, -q keeps back what mpirun says when a rank ends badly, its own complaints too: about a word
# that it does not know, a file that is not there, a host that does not answer. So it tries first.
# Where the network fails for a moment, Open MPI's daemon on a host gives up unheard, and mpirun waits
# for it for ever. So the trial has a limit, and a second chance.
limit=${OUTERLOOP_START_LIMIT:-60s}
for chance in 1 2; do
  code=0
  timeout --foreground -k 5 "$limit" mpirun "${launcher[@]}" true || code=$?
  ((code == 124 || code == 137)) || break
  echo "outerloop: mpirun did not reach all hosts within $limit (try $chance of 2)" >&2
done
if ((code == 124 || code == 137)); then
  echo "outerloop: check ssh and the network between the hosts; OUTERLOOP_START_LIMIT=5m waits longer" >&2
  exit 1
fi
((code == 0)) || exit "$code"

# At Ctrl-C, SIGTERM and the end of the terminal mpirun would end its ranks within seconds. As SIGUSR1
# they are a stop with a checkpoint and exit code 75; the second one ends it. Of a group of its own it
# hears of them here alone.
set -m
mpirun -q "${launcher[@]}" "$OUTERLOOP" "$@" </dev/null &
job=$!
stop() {
  kill -USR1 "$job"
  trap 'kill "$job"' INT TERM USR1
  trap '' HUP # a closed terminal sends two
}
trap stop INT TERM USR1 HUP
# A signal ends a wait early, with a code of its own; the last wait gives the job's.
while true; do
  wait "$job" || :
  kill -0 "$job" 2>/dev/null || break
done
wait "$job"
