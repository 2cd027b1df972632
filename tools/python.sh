#!/usr/bin/env bash
# Makes build/python, a Python with the packages that judge our files (TensorBoard's own reader,
# safetensors, numpy, h5py), and prints its interpreter. Prints nothing when PyPI is out of reach:
# the tests that need it then skip and say so (with OUTERLOOP_REQUIRE_READERS=1 they fail).
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
python=build/python/bin/python

is_complete() { "$python" -c 'import h5py, numpy, safetensors, tensorboard' &>/dev/null; }

if ! is_complete; then
  echo "outerloop: installing tensorboard, safetensors, numpy and h5py into build/python" >&2
  for base in /usr/bin/python3 python3; do
    ! "$base" -c 'import ensurepip' &>/dev/null || break
  done
  "$base" -m venv build/python >&2
  "$python" -m pip install --quiet --disable-pip-version-check \
    tensorboard safetensors numpy h5py 'setuptools<81' >&2
fi
if is_complete; then
  echo "$PWD/$python"
else
  echo "outerloop: no Python packages from PyPI; some readers are not tested" >&2
fi
