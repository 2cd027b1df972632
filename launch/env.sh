# shellcheck shell=bash
# Shared by the scripts beside it: the program and the settings of MPI. To be sourced, also by
# scripts of your own, before mpirun or srun. What you set yourself stays as it is.
# OUTERLOOP=/path/to/outerloop takes another program than that of build/release or the PATH.

launch_root=$(CDPATH="" cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [[ -z ${OUTERLOOP:-} ]]; then
  OUTERLOOP=$launch_root/build/release/outerloop
  if [[ -x $launch_root/bin/mpirun ]]; then # a bundle, with an MPI of its own
    OUTERLOOP=$launch_root/bin/outerloop
    PATH=$launch_root/bin:$PATH
  fi
  [[ -x $OUTERLOOP ]] || OUTERLOOP=$(command -v outerloop) || {
    echo "outerloop: no program yet; tools/build.sh makes it, or set OUTERLOOP to its place" >&2
    exit 2
  }
elif ! command -v "$OUTERLOOP" >/dev/null; then
  echo "outerloop: OUTERLOOP=$OUTERLOOP is no program" >&2
  exit 2
fi
export OUTERLOOP

# Threads of a rank (runtime.threads) may run on all cores of its host, of Open MPI 4 and 5.
export OMPI_MCA_hwloc_base_binding_policy=${OMPI_MCA_hwloc_base_binding_policy:-none}
export PRTE_MCA_hwloc_default_binding_policy=${PRTE_MCA_hwloc_default_binding_policy:-none}
# mpirun itself notices a host that was cut off within 32 to 37 s: after train --rank-silence (30 s),
# which names the rank, and before the ranks end by themselves, 20 s later.
export OMPI_MCA_oob_tcp_keepalive_time=${OMPI_MCA_oob_tcp_keepalive_time:-5}
export OMPI_MCA_oob_tcp_keepalive_intvl=${OMPI_MCA_oob_tcp_keepalive_intvl:-16}
export OMPI_MCA_oob_tcp_keepalive_probes=${OMPI_MCA_oob_tcp_keepalive_probes:-2}
# Open MPI refuses to run as root, which is the only user of many containers.
if ((EUID == 0)); then
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
