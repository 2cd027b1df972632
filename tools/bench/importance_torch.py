"""Importance of 49 patches x 2 repeats of 75 Omniglot query images in PyTorch, one thread.

    importance_torch.py [--tasks N]

Each task adapts conv4 (64 filters, stride 2, batch statistics) by three steps on five images and scores a
copy of its queries for each patch and repeat, without gradients. Data are random and lie in memory.
Prints one line of JSON: scores of a permuted copy per second, adaptation included.
"""

import argparse
import json
import os
import time

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

WAYS, QUERIES, FILTERS, BLOCKS, STEPS, RATE = 5, 75, 64, 4, 3, 0.5
PATCH, SIDE, REPEATS = 4, 28, 2


def conv4():
    layers = []
    for i in range(BLOCKS):
        layers += [nn.Conv2d(1 if i == 0 else FILTERS, FILTERS, 3, stride=2, padding=1),
                   nn.BatchNorm2d(FILTERS, eps=1e-3, track_running_stats=False), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(FILTERS, WAYS))


def adapt(model, x, y):
    phi = dict(model.named_parameters())
    for _ in range(STEPS):
        loss = F.cross_entropy(torch.func.functional_call(model, phi, x), y)
        gradient = torch.autograd.grad(loss, tuple(phi.values()))
        phi = {name: p - RATE * g for (name, p), g in zip(phi.items(), gradient)}
    return {name: p.detach() for name, p in phi.items()}


def importance(model, support, support_y, query, query_y):
    phi = adapt(model, support, support_y)
    decreases = []
    with torch.no_grad():
        def score(x):
            return -F.cross_entropy(torch.func.functional_call(model, phi, x), query_y).item()
        base = score(query)
        for top in range(0, SIDE, PATCH):
            for left in range(0, SIDE, PATCH):
                for _ in range(REPEATS):
                    copy = query.clone()
                    place = (..., slice(top, top + PATCH), slice(left, left + PATCH))
                    copy[place] = query[place][torch.randperm(QUERIES)]
                    decreases.append(base - score(copy))
    return decreases


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = conv4()
    tasks = [(torch.rand(WAYS, 1, SIDE, SIDE), torch.arange(WAYS),
              torch.rand(QUERIES, 1, SIDE, SIDE), torch.arange(WAYS).repeat(QUERIES // WAYS))
             for _ in range(options.tasks)]
    importance(model, *tasks[0])
    start = time.perf_counter()
    cells = sum(len(importance(model, *task)) for task in tasks)
    print(json.dumps({"cells_per_s": cells / (time.perf_counter() - start)}))


if __name__ == "__main__":
    main()
