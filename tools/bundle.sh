#!/usr/bin/env bash
# Makes a folder that runs on another x86-64 Linux without installing anything there: the program, the
# libraries it needs down to the C library, Open MPI's mpirun, configs, data, check_reference for
# tools/bench/gpu.sh, and kernels for GPUs where NVRTC is here to make them (tools/kernels/pack.sh).
#   tools/bundle.sh [FOLDER]        default: build/bundle/outerloop
#   cd FOLDER && bin/outerloop train configs/sinusoid_maml.yaml
#   cd FOLDER && bin/mpirun -np 4 bin/outerloop train configs/omniglot_maml.yaml
# An earlier bundle in FOLDER is replaced; another folder that is not empty is refused.
# OUTERLOOP_BUNDLE_AS_BUILT=1 takes the release build as it is. Exit 77: the MPI here is not Open MPI 4.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=$(realpath -m "${1:-build/bundle/outerloop}")
if [[ -e $target && ! -e $target/libexec/outerloop && -n $(ls -A "$target" 2>&1) ]]; then
  echo "bundle: $target is not empty and no bundle; name another folder" >&2
  exit 2
fi
build() { [[ -n ${OUTERLOOP_BUNDLE_AS_BUILT:-} ]] || tools/build.sh release "$@"; }
build outerloop check_reference
mpirun=$(realpath "$(command -v mpirun)")
if [[ ! -x ${mpirun%/*}/orted ]]; then
  echo "bundle: bundles need Open MPI 4, which has an orted beside mpirun; $mpirun has none" >&2
  exit 77
fi
new=$target.new
rm -rf "$new"
mkdir -p "$new"/{bin,lib,libexec,share/outerloop}

# The libraries that ELF files load, as paths.
libraries_of() {
  ldd "$@" 2>/dev/null | sed -nE 's/^.*=> (\/[^ ]+) .*$/\1/p; s/^\t(\/[^ ]+ld-linux[^ ]+) .*$/\1/p' |
    sort -u
}
programs=(build/release/{outerloop,check_reference} "$mpirun" "${mpirun%/*}/orted")
prefix=$(ompi_info --path prefix --parsable | cut -d: -f3)
parts=$(ompi_info --path pkglibdir --parsable | cut -d: -f3)
for library in $(libraries_of "${programs[@]}" "$parts"/mca_pmix_*.so); do
  cp -L "$library" "$new/lib/"
done
# Libraries of GPUs need these by name. They are parts of the C library, and the host's may be of
# another one.
libc=$(libraries_of build/release/outerloop | grep '/libc\.so')
for name in libdl.so.2 libpthread.so.0 librt.so.1 libutil.so.1; do
  [[ ! -e ${libc%/*}/$name ]] || cp -L "${libc%/*}/$name" "$new/lib/"
done
for program in "${programs[@]}"; do
  install -s -m 755 "$program" "$new/libexec/"
done
loader=$(basename "$(libraries_of build/release/outerloop | grep /ld-linux)")

# MPI finds its parts and texts by their places under one prefix. Parts for other networks and
# schedulers, which need more libraries, stay behind.
copy_parts() {  # a folder of plugins
  local part library
  mkdir -p "$new/${1#"$prefix"/}"
  for part in "$1"/*.so; do
    for library in $(libraries_of "$part"); do
      [[ -e $new/lib/$(basename "$library") ]] || continue 2
    done
    cp -L "$part" "$new/${1#"$prefix"/}/"
  done
}
copy_parts "$parts"
pmix=$(ldd "$parts"/mca_pmix_*.so | sed -nE 's/^.*=> (.*libpmix[^ ]*) .*$/\1/p' | head -1)
pmix=$(realpath "$(dirname "$(realpath "$pmix")")/..") # its own prefix
[[ ! -d $pmix/lib/pmix ]] || copy_parts "$pmix/lib/pmix"
for texts in "$prefix/share/openmpi" "$pmix/share/pmix"; do
  mkdir -p "$new/$(dirname "${texts#"$prefix"/}")"
  [[ ! -d $texts ]] || cp -r "$texts" "$new/${texts#"$prefix"/}"
done

if ! grep -q '^build kernel_pack:' build/release/build.ninja; then
  echo "bundle: without kernels for GPUs, as the build is without CUDA" >&2
else
  build kernel_pack
  status=0
  tools/kernels/pack.sh || status=$?
  case $status in
    0) install -m 644 build/release/kernels.pack "$new/share/outerloop/" ;;
    77) echo "bundle: without kernels for GPUs, as NVRTC is not here" >&2 ;;
    *) exit "$status" ;;
  esac
fi

cp -r configs launch "$new/"
rm "$new/launch/local.sh" # it builds
ln -s ../../configs ../../launch "$new/share/outerloop/"
wrapper() {  # name in bin, name in libexec, more lines
  cat >"$new/bin/$1" <<END
#!/bin/sh
# Runs libexec/$2 with the libraries of this bundle, wherever it lies.
program=\$0
[ ! -L "\$program" ] || program=\$(readlink -f "\$program")
root=\$(CDPATH="" cd "\$(dirname "\$program")/.." && pwd)
pmix=\$root/${pmix#"$prefix"/}
export OPAL_PREFIX="\$root" PMIX_PKGLIBDIR="\$pmix/lib/pmix" PMIX_PKGDATADIR="\$pmix/share/pmix"
${3:-}libraries=\$root/lib\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}
exec "\$root/lib/$loader" --library-path "\$libraries" "\$root/libexec/$2" "\$@"
END
  chmod 755 "$new/bin/$1"
}
wrapper outerloop outerloop
wrapper check_reference check_reference
# mpirun stops where it finds neither ssh nor rsh, unless told that one host is enough.
# shellcheck disable=SC2016  # the wrapper expands
wrapper mpirun "$(basename "$mpirun")" \
  'command -v ssh >/dev/null || export OMPI_MCA_plm="${OMPI_MCA_plm:-isolated}"
'
wrapper orted orted

rm -rf "$target"
mv "$new" "$target"
echo "bundle: $target, $(du -sm "$target" | cut -f1) MiB; start $target/bin/outerloop" >&2
