#!/usr/bin/env bash
# Times permutation importance of one network by scikit-learn and by outerloop, in turn on one core, and writes
# tools/bench/IMPORTANCE_SKLEARN.md and importance_sklearn.json; fails where their numbers differ. Wants a
# quiet machine; about 2 minutes. scikit-learn comes from pip into build/peers, or PYTHON names an interpreter that has it.
#   tools/bench/importance_sklearn.sh [--rounds N] [--outerloop FILE]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
peers=build/peers
python=${PYTHON:-$peers/bin/python}
if ! "$python" -c 'import h5py, sklearn' 2>/dev/null; then
  [[ -x $peers/bin/pip ]] || python3 -m venv "$peers"
  "$peers/bin/pip" install -q h5py scikit-learn
  python=$peers/bin/python
fi
case " $* " in
  *' -h '* | *' --help '* | *' --outerloop'*) ;;
  *) tools/build.sh release outerloop ;;
esac
exec "$python" tools/bench/importance_sklearn.py "$@"
