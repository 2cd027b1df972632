"""One second-order MAML meta-step (adapt, query loss, meta-gradient, Adam) in other libraries.

    peers.py PEER WORKLOAD [--inner K] [--threads T] [--seconds S]

PEER is jax (jit of vmap over tasks), learn2learn (its MAML wrapper) or torch_loop (the same loop on
torch.autograd, without a wrapper). WORKLOAD is sinusoid (MLP 1-40-40-1, 10 + 10 points, 25 tasks) or
omniglot (4 convolutions of 64 filters and stride 2, batch norm on batch statistics, mean over places,
linear head; 5-way 1-shot, 1 query per class, 32 tasks). Data are random and lie in memory. Prints one
line of JSON: the median over batches of meta-steps, and the peak resident memory.
"""

import argparse
import json
import os
import resource
import statistics
import time

BATCHES = 9
META_BATCH = {"sinusoid": 25, "omniglot": 32}
INNER_RATE = {"sinusoid": 0.01, "omniglot": 0.4}
OUTER_RATE = 1e-3
WAYS, POINTS, FILTERS, BLOCKS = 5, 10, 64, 4


def draw_tasks(workload, np):
    """Support and query inputs and targets, task first."""
    rng = np.random.default_rng(1)
    tasks = META_BATCH[workload]
    if workload == "sinusoid":
        amplitude, phase = rng.uniform(0.1, 5, (tasks, 1, 1)), rng.uniform(0, np.pi, (tasks, 1, 1))
        inputs = [rng.uniform(-5, 5, (tasks, POINTS, 1)) for _ in range(2)]
        pairs = [(x, amplitude * np.sin(x - phase)) for x in inputs]
    else:
        labels = np.tile(np.arange(WAYS), (tasks, 1))
        pairs = [(rng.uniform(0, 1, (tasks, WAYS, 1, 28, 28)), labels) for _ in range(2)]
    return [a if a.dtype.kind == "i" else a.astype("float32") for pair in pairs for a in pair]


def make_jax_step(options):
    os.environ["JAX_PLATFORMS"] = "cpu"
    if options.threads == 1:
        os.environ["XLA_FLAGS"] = (
            "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax

    keys = iter(jax.random.split(jax.random.PRNGKey(0), 16))

    def weight(*shape):
        fan_in = np.prod(shape[:-1])
        return jax.random.normal(next(keys), shape) * np.sqrt(2 / fan_in)

    def mlp(theta, x):
        *hidden, (w, b) = theta
        for weights, bias in hidden:
            x = jax.nn.relu(x @ weights + bias)
        return x @ w + b

    def conv4(theta, x):
        *blocks, (w, b) = theta
        for kernel, bias, scale, shift in blocks:
            x = jax.lax.conv_general_dilated(x, kernel, (2, 2), "SAME",
                                             dimension_numbers=("NCHW", "HWIO", "NCHW"))
            x = x + bias[:, None, None]
            x = (x - x.mean((0, 2, 3), keepdims=True)) * jax.lax.rsqrt(
                x.var((0, 2, 3), keepdims=True) + 1e-3)
            x = jax.nn.relu(x * scale[:, None, None] + shift[:, None, None])
        return x.mean((2, 3)) @ w + b

    if options.workload == "sinusoid":
        sizes = [1, 40, 40, 1]
        theta = [(weight(i, o), jnp.zeros(o)) for i, o in zip(sizes, sizes[1:])]
        def loss(theta, x, y):
            return jnp.mean((mlp(theta, x) - y) ** 2)
    else:
        theta = [(weight(3, 3, 1 if i == 0 else FILTERS, FILTERS), jnp.zeros(FILTERS),
                  jnp.ones(FILTERS), jnp.zeros(FILTERS)) for i in range(BLOCKS)]
        theta.append((weight(FILTERS, WAYS), jnp.zeros(WAYS)))
        def loss(theta, x, y):
            return optax.softmax_cross_entropy_with_integer_labels(conv4(theta, x), y).mean()

    rate = INNER_RATE[options.workload]

    def task_loss(theta, xs, ys, xq, yq):
        for _ in range(options.inner):
            gradient = jax.grad(loss)(theta, xs, ys)
            theta = jax.tree.map(lambda p, g: p - rate * g, theta, gradient)
        return loss(theta, xq, yq)

    def meta_loss(theta, *tasks):
        return jax.vmap(task_loss, (None, 0, 0, 0, 0))(theta, *tasks).mean()

    optimizer = optax.adam(OUTER_RATE)

    @jax.jit
    def meta_step(theta, state, tasks):
        gradient = jax.grad(meta_loss)(theta, *tasks)
        updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(theta, updates), state

    tasks = [jnp.asarray(a) for a in draw_tasks(options.workload, np)]
    carried = [theta, optimizer.init(theta)]

    def run(steps):
        for _ in range(steps):
            carried[:] = meta_step(*carried, tasks)
        jax.block_until_ready(carried)

    return run


def make_torch_step(options):
    import numpy as np
    import torch
    from torch import nn
    import torch.nn.functional as F

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    if options.workload == "sinusoid":
        model = nn.Sequential(nn.Linear(1, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(),
                              nn.Linear(40, 1))
        loss = F.mse_loss
    else:
        layers = []
        for i in range(BLOCKS):
            layers += [nn.Conv2d(1 if i == 0 else FILTERS, FILTERS, 3, stride=2, padding=1),
                       nn.BatchNorm2d(FILTERS, eps=1e-3, track_running_stats=False), nn.ReLU()]
        model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                              nn.Linear(FILTERS, WAYS))
        loss = F.cross_entropy
    optimizer = torch.optim.Adam(model.parameters(), lr=OUTER_RATE)
    tasks = [torch.as_tensor(a) for a in draw_tasks(options.workload, np)]
    rate = INNER_RATE[options.workload]

    if options.peer == "learn2learn":
        from learn2learn.algorithms.maml import MAML
        maml = MAML(model, lr=rate, first_order=False)

        def query_loss(xs, ys, xq, yq):
            learner = maml.clone()
            for _ in range(options.inner):
                learner.adapt(loss(learner(xs), ys))
            return loss(learner(xq), yq)
    else:
        def query_loss(xs, ys, xq, yq):
            phi = dict(model.named_parameters())
            for _ in range(options.inner):
                support = loss(torch.func.functional_call(model, phi, xs), ys)
                gradient = torch.autograd.grad(support, tuple(phi.values()), create_graph=True)
                phi = {name: p - rate * g for (name, p), g in zip(phi.items(), gradient)}
            return loss(torch.func.functional_call(model, phi, xq), yq)

    def run(steps):
        for _ in range(steps):
            optimizer.zero_grad()
            for task in zip(*tasks):
                (query_loss(*task) / META_BATCH[options.workload]).backward()
            optimizer.step()

    return run


def measure(run, seconds):
    """Seconds per meta-step: the median over batches."""
    def timed(steps):
        start = time.perf_counter()
        run(steps)
        return (time.perf_counter() - start) / steps

    timed(1)  # compiles
    per_batch = max(1, int(seconds / BATCHES / timed(1)))
    return statistics.median(timed(per_batch) for _ in range(BATCHES))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=["jax", "learn2learn", "torch_loop"])
    parser.add_argument("workload", choices=sorted(META_BATCH))
    parser.add_argument("--inner", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    make = make_jax_step if options.peer == "jax" else make_torch_step
    seconds = measure(make(options), options.seconds)
    print(json.dumps({
        "meta_steps_per_s": 1 / seconds,
        "tasks_per_s": META_BATCH[options.workload] / seconds,
        "peak_resident_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
