#!/usr/bin/env bash
# Times outerloop and its peers in turn on this machine and writes tools/bench/RESULTS.md and
# results.json. Wants a quiet machine; about 15 minutes.
#   tools/bench/cpu.sh [--seconds S] [--rounds N] [--only CASE…] [--no-peers]
# The peers (JAX, PyTorch, learn2learn) come from pip into build/peers; one that cannot be installed is
# named in the table. A CPU build of PyTorch saves a large download: set PIP_INDEX_URL for it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
peers=$PWD/build/peers
[[ " $* " != *' -h '* && " $* " != *' --help '* ]] || exec python3 tools/bench/cpu.py --help

# Both functions leave a file behind when the peer is there, and the reason when it is not.
try() {  # name, command…
  local name=$1
  shift
  [[ -e $peers/$name.ready ]] && return
  if "$@" >"$peers/$name.log" 2>&1; then touch "$peers/$name.ready"; fi
}
# Its wheel does not build under new Pythons, but what is needed of it is pure Python.
install_learn2learn() {
  "$peers/bin/pip" install -q cython setuptools wheel numpy torch &&
    "$peers/bin/pip" download -q --no-deps --no-binary :all: --no-build-isolation \
      -d "$peers/sdist" learn2learn &&
    mkdir -p "$peers/learn2learn" &&
    tar -xzf "$peers"/sdist/learn2learn-*.tar.gz -C "$peers/learn2learn" --strip-components=1 \
      --wildcards '*/learn2learn/algorithms/base_learner.py' '*/learn2learn/algorithms/maml.py' \
      '*/learn2learn/utils/__init__.py'
}

if [[ " $* " != *' --no-peers '* ]]; then
  [[ -x $peers/bin/pip ]] || python3 -m venv "$peers" ||
    echo "outerloop: no peers: python3 -m venv fails (Debian: apt-get install python3-venv)" >&2
  mkdir -p "$peers"
  try jax "$peers/bin/pip" install -q jax optax
  try torch_loop "$peers/bin/pip" install -q numpy torch
  try learn2learn install_learn2learn
fi
tools/build.sh release outerloop
exec python3 tools/bench/cpu.py "$@"
