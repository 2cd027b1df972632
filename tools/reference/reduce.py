#!/usr/bin/env python3
"""Makes the reduced reference files of tests/reference: reduce.py FOLDER_OF_FULL_FILES

The full files hold meta-gradients and adaptation curves computed in float64 by JAX and checked
against PyTorch, long double arithmetic and finite differences. The reduced ones keep all inputs and
those groups whose path matches a pattern below; check_reference skips what is not stored. Needs
h5py.
"""

import re
import sys
from pathlib import Path

import h5py

KEPT = {
    "maml_sine": [
        r"(data|theta|hyper)/",
        r"relu/(exact|first_order|anil|boil|lslr|momentum|weight_decay|reptile)/K3/(?!.*_task|phi)",
        r"relu/(adam|meta_sgd_varied)/K3/(?!grad_task|grad_lr_task|phi)",
        r"relu/imaml/K50/(grad/|query_loss|support_loss|outer_loss)",
        r"tanh/(exact|adam)/K3/grad/",
        r"tanh/exact/K5/(grad/|query_loss)",
    ],
    "maml_conv4": [
        r"(data/Q5|theta|hyper)/",
        r"stride2/Q5/K[13]/(?!.*_task|phi)",
        r"maxpool/Q5/K3/(?!.*_task|phi)",
    ],
    "protonet": [
        r"(mlp|conv4)_(theta|data)/|hyper/",
        r"(mlp|conv4_stride2_joint|conv4_maxpool_separate)/(?!.*_task/)",
    ],
    "r2d2": [
        r"(mlp|conv4)_(theta|data)/|hyper/",
        r"(mlp|conv4_stride2_joint|conv4_maxpool_separate)/(?!grad_task/)",
    ],
    "learned_opt": [r"(data|phi0|opt|hyper)/", r"(relu|tanh)/(?!grad_opt_task|phi/)"],
}


def reduce(source, target, patterns):
    kept = re.compile("|".join(f"(?:{p})" for p in patterns))

    def copy(name, item):
        if isinstance(item, h5py.Dataset) and kept.match(name):
            target.create_dataset(name, data=item[()])

    source.visititems(copy)


def main():
    full = Path(sys.argv[1])
    folder = Path(__file__).parents[2] / "tests" / "reference"
    folder.mkdir(exist_ok=True)
    for name, patterns in KEPT.items():
        path = folder / f"{name}.h5"
        with h5py.File(full / path.name, "r") as source, h5py.File(path, "w") as target:
            reduce(source, target, patterns)
        print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
