#!/usr/bin/env python3
"""Makes the reduced reference files of tests/reference: reduce.py FOLDER_OF_FULL_FILES

The full files hold meta-gradients and adaptation curves computed in float64 by JAX and checked
against PyTorch, long double arithmetic and finite differences, and importances, explanations and
metrics computed by scikit-learn, numpy and exact fractions. The reduced ones keep all inputs and
those groups whose path matches a pattern below; check_reference skips what is not stored. Needs
h5py.
"""

import json
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
    "explain": [r""],
    "importance": [
        r"datasets/iris/|models/iris|sample_weights/",
        r"cases/(a_iris|b_iris.*seed0|d_iris_linear|e_iris)",
    ],
}
# Of importance.json: what names this data set. metrics.json stays whole.
KEPT_DATA = "iris"


def reduce(source, target, patterns):
    kept = re.compile("|".join(f"(?:{p})" for p in patterns))

    def copy(name, item):
        if isinstance(item, h5py.Dataset) and kept.match(name):
            target.create_dataset(name, data=item[()])
            for key, value in item.parent.attrs.items():
                target[name].parent.attrs[key] = value

    source.visititems(copy)


def reduce_importance(document):
    for group in ("datasets", "models", "sample_weights"):
        kept = {n: v for n, v in document[group].items() if n.startswith(KEPT_DATA)}
        document[group] = kept
    document["cases"] = [c for c in document["cases"] if c["dataset"] == KEPT_DATA]
    return document


def as_json(document):
    return json.dumps(document, separators=(",", ":")) + "\n"


def main():
    full = Path(sys.argv[1])
    folder = Path(__file__).parents[2] / "tests" / "reference"
    folder.mkdir(exist_ok=True)
    for name, patterns in KEPT.items():
        path = folder / f"{name}.h5"
        with h5py.File(full / path.name, "r") as source, h5py.File(path, "w") as target:
            reduce(source, target, patterns)
        print(f"{path.name}: {path.stat().st_size} bytes")
    importance = reduce_importance(json.loads((full / "importance.json").read_text()))
    (folder / "importance.json").write_text(as_json(importance))
    (folder / "metrics.json").write_bytes((full / "metrics.json").read_bytes())


if __name__ == "__main__":
    main()
