#!/usr/bin/env bash
# Predicts the step of omniglot_maml on 1 to 4,096 ranks by tools/scale_model, beside trainings on 1, 2 and 4
# ranks here, and writes tools/bench/SCALE.md. Wants a quiet machine; about 2 minutes.
#   tools/bench/scale.sh [--outerloop FILE] [options of tools/scale_model, such as --rounds 9]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
case ${1:-} in
  -h | --help) exec tools/scale_model --help ;;
  --outerloop)
    export OUTERLOOP=${2:?names a file}
    shift 2
    ;;
  *) tools/build.sh release outerloop ;;
esac
load=$(cut -d' ' -f1 /proc/loadavg)
text=$(tools/scale_model configs/omniglot_maml.yaml "$@")
cat >tools/bench/SCALE.md <<END
# Steps on many ranks

Written by \`tools/bench/scale.sh\`: omniglot_maml, one thread a rank; what the network is here, two ranks that
share memory, is taken for all of them. \`tools/scale_model --help\` has the model.

$(date -u +%F), commit $(git rev-parse --short=10 HEAD), $(nproc) cores, load $load at the start.

\`\`\`
$text
\`\`\`
END
cat tools/bench/SCALE.md
