#!/usr/bin/env bash
# The Debian packages that outerloop needs, listed here and nowhere else. Installs what is missing.
#   tools/packages.sh           to build and run
#   tools/packages.sh --tests   to run the test suite as well
#   tools/packages.sh --cluster to run a Slurm of its own too (on a machine with systemd its services
#                               may start); without them those tests are skipped
# What comes from elsewhere (environment modules, conda, /usr/local) counts as present.
# Exit 2: something is missing and cannot be installed from here.
set -euo pipefail

# package, what shows that it is there: a command, a header, a pkg-config module, a Python module, or
# a serial HDF5, which HDF5_ROOT may point to
build_packages='
  g++                 command  g++
  cmake               command  cmake
  ninja-build         command  ninja
  pkg-config          command  pkg-config
  libcli11-dev        header   CLI/CLI.hpp
  libfmt-dev          header   fmt/format.h
  libgtest-dev        header   gtest/gtest.h
  libhdf5-dev         hdf5     hdf5
  libjpeg-dev         header   jpeglib.h
  libopenmpi-dev      command  mpicc
  libpng-dev          module   libpng
  librandom123-dev    header   Random123/philox.h
  libxbyak-dev        header   xbyak/xbyak.h
  libxxhash-dev       module   libxxhash
  libyaml-cpp-dev     module   yaml-cpp
  libzip-dev          module   libzip
  nlohmann-json3-dev  header   nlohmann/json.hpp
  openmpi-bin         command  mpirun
'
test_packages='
  busybox-static      command  busybox
  clang-format        command  clang-format
  clang-tidy          command  clang-tidy
  git                 command  git
  python3             command  python3
  python3-h5py        python   h5py
  python3-venv        python   ensurepip
  shellcheck          command  shellcheck
'
cluster_packages='
  iproute2            command  ip
  munge               command  munged
  slurm-client        command  sbatch
  slurmctld           command  slurmctld
  slurmd              command  slurmd
'

# What modules, spack and conda tell CMake of.
prefixes=${CMAKE_PREFIX_PATH:-}:${CONDA_PREFIX:-}

# Whether a file is in one of the folders that colons separate.
is_in() {
  local folders folder
  IFS=: read -ra folders <<<"$2"
  for folder in "${folders[@]}"; do
    [[ -z $folder || ! -e $folder/$1 ]] || return 0
  done
  return 1
}

# Asks the compiler; without one, looks where it would.
has_header() {
  ! is_in "include/$1" "$prefixes" || return 0
  if command -v g++ >/dev/null; then
    printf '#if !__has_include(<%s>)\n#error\n#endif' "$1" | g++ -E -xc++ - &>/dev/null
  else
    is_in "$1" "/usr/include:/usr/local/include:${CPATH:-}"
  fi
}

# Where src/io/CMakeLists.txt looks, which is not where a compiler does. Debian's hdf5.pc may be of a
# parallel one.
has_hdf5() {
  local places=${HDF5_ROOT:-}:$prefixes:/usr/local:/usr/
  is_in include/hdf5.h "$places" || is_in include/hdf5/serial/hdf5.h "$places"
}

# CMake takes either of them for what needs h5py, tools/python.sh for a venv.
has_python_module() {
  local python
  for python in /usr/bin/python3 python3; do
    ! "$python" -c "import $1" &>/dev/null || return 0
  done
  return 1
}

is_present() {
  case $1 in
    command) PATH=$PATH:/usr/sbin:/sbin command -v "$2" >/dev/null ;;
    header) has_header "$2" ;;
    module) pkg-config --exists "$2" 2>/dev/null ;;
    hdf5) has_hdf5 ;;
    python) has_python_module "$2" ;;
  esac
}

wanted=$build_packages
[[ ${1:-} != --tests ]] || wanted+=$test_packages
[[ ${1:-} != --cluster ]] || wanted+=$cluster_packages

missing=()
while read -r package kind name; do
  [[ -z $package ]] || is_present "$kind" "$name" || missing+=("$package")
done <<<"$wanted"
((${#missing[@]})) || exit 0

if ! command -v apt-get >/dev/null; then
  echo "outerloop: missing packages, and no apt-get to install them:" "${missing[@]}" >&2
  exit 2
fi
if ((EUID != 0)); then
  echo "outerloop: missing packages; install them as root: apt-get install" "${missing[@]}" >&2
  exit 2
fi
echo "outerloop: installing missing packages:" "${missing[@]}" >&2
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update -qq && apt-get install -qq -y --no-install-recommends "${missing[@]}"; } \
  </dev/null >/dev/null; then
  echo "outerloop: apt-get could not install:" "${missing[@]}" >&2
  exit 2
fi
