#!/usr/bin/env bash
# Makes a bundle of the build and runs it in a root file system that holds nothing else but a static
# busybox: no C library, no MPI, no HDF5, no compiler. Exit 77: this machine cannot make such a root, or
# no bundle.
#   check_bundle.sh WORK
set -euo pipefail
work=$1
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

skip() {
  printf 'check_bundle.sh:1: Skipped\n%s\n' "$*"
  exit 77
}
busybox=$(command -v busybox) || skip "no busybox; install busybox-static"
inside=(unshare --mount --pid --fork)
((EUID == 0)) || inside+=(--map-root-user)
"${inside[@]}" true 2>/dev/null || skip "namespaces are not allowed here"

root=$work/root
rm -rf "$work"
mkdir -p "$root"/{bin,dev,proc,sys,tmp,work}
cp "$busybox" "$root/bin/"
for name in sh dirname readlink hostname; do ln -s busybox "$root/bin/$name"; done
chroot_here() {
  # shellcheck disable=SC2016  # the inner shell expands
  "${inside[@]}" sh -c '
    mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" &&
      mount --rbind /sys "$0/sys" &&
      exec chroot "$0" /bin/busybox env -i PATH=/bin HOME=/tmp "$@"' "$root" "$@"
}
chroot_here /bin/sh -c : 2>/dev/null || skip "busybox is not static, or chroot is not allowed"

export OUTERLOOP_BUNDLE_AS_BUILT=1 # other tests run what a build would replace

# An MPI that is not Open MPI 4.
mkdir "$work/other_mpi"
printf '#!/bin/sh\n' >"$work/other_mpi/mpirun"
chmod +x "$work/other_mpi/mpirun"
status=0
PATH=$work/other_mpi:$PATH tools/bundle.sh "$work/none" 2>"$work/said" || status=$?
if [[ $status != 77 || $(<"$work/said") != "bundle: bundles need Open MPI 4"* ]]; then
  echo "of another MPI, exit code $status: $(<"$work/said")"
  exit 1
fi

# A place of its own, with a space.
status=0
tools/bundle.sh "$root/opt/any where/outerloop" 2>"$work/said" || status=$?
[[ $status != 77 ]] || skip "$(<"$work/said")"
cat "$work/said" >&2
((status == 0)) || exit "$status"
size=$(du -sm "$root/opt" | cut -f1)
((size <= 60)) || { echo "the bundle takes $size MiB: expected at most 60"; exit 1; }

# What the driver of GPUs, NVRTC and NCCL need of the C library.
for name in libdl.so.2 libpthread.so.0 librt.so.1; do
  [[ -e "$root/opt/any where/outerloop/lib/$name" ]] || { echo "the bundle lacks $name"; exit 1; }
done

# GPU kernels, wherever they can be made.
pack="$root/opt/any where/outerloop/share/outerloop/kernels.pack"
driver=build/release/tests/exec/fake/libcuda.so.1
if [[ -x build/release/kernel_pack ]]; then
  status=0
  build/release/kernel_pack "$work/none.pack" </dev/null 2>/dev/null || status=$?
  [[ $status == 77 || -s $pack ]] || { echo "the bundle has no kernels for GPUs"; exit 1; }
fi
if [[ -s $pack && -e $driver ]]; then
  mkdir "$root/work/driver"
  cp -L "$driver" "$root/work/driver/"
fi

cp tests/reference/maml_sine.h5 "$root/work/"

# $1 and $2 are the inner shell's.
cat >"$root/work/check" <<'END'
set -e
cd "/opt/any where/outerloop"
bin/check_reference /work/maml_sine.h5 >/work/reference
bin/outerloop doctor >/work/doctor || [ $? = 1 ]  # findings are none of this check's business
train="bin/outerloop train configs/sinusoid_maml.yaml outer.iterations=40 test.tasks=20
       runtime.threads=1 checkpoint.every=20"
$train run_dir=/work/alone
ln -s "/opt/any where/outerloop/bin/outerloop" /bin/outerloop
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
bin/mpirun -q --oversubscribe -np 2 $train run_dir=/work/ranks
outerloop ckpt diff /work/alone /work/ranks
outerloop train configs/omniglot_maml.yaml outer.iterations=2 validation.every=0 test.tasks=2 \
  runtime.threads=1 run_dir=/work/omniglot

# A stand-in for the driver of a GPU, and no compiler: kernels are those of the pack or refused.
[ -e /work/driver ] || exit 0
export LD_LIBRARY_PATH=/work/driver OUTERLOOP_CACHE=/work/kernels
on_gpu="bin/outerloop bench meta-step --seconds 0.01 runtime.device=cuda --config configs"
$on_gpu/sinusoid_maml.yaml
FAKE_CUDA_SHARED=232448 $on_gpu/sinusoid_maml.yaml
$on_gpu/omniglot_mamlpp.yaml outer.meta_batch=8
bin/mpirun -q --oversubscribe -np 2 $on_gpu/sinusoid_maml.yaml
code=0
$on_gpu/sinusoid_maml.yaml tasks.shots=7 2>/work/refusal || code=$?
cat /work/refusal
case $code$(cat /work/refusal) in
  2*"kernels are not in"*) ;;
  *) echo "exit code $code"; exit 1 ;;
esac
END
chroot_here /bin/sh /work/check
for file in alone ranks omniglot; do
  [[ -s $root/work/$file/report.html ]] || { echo "no report of $file"; exit 1; }
done
echo "a bundle of $size MiB ran in a bare root"
