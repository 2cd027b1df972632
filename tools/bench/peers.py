"""One second-order MAML meta-step (adapt, query loss, meta-gradient, Adam) in other libraries.

    peers.py PEER WORKLOAD [--inner K] [--tasks N] [--ways W] [--threads T] [--seconds S]
             [--device cpu|cuda] [--precision float32|default]

PEER is jax (jit of vmap over tasks), learn2learn (its MAML wrapper), torch_loop (the same loop on
torch.autograd, without a wrapper), torch_func (vmap of torch.func.grad) or torch_compile (the same
through torch.compile); on a GPU the last two record their whole step as one CUDA graph. WORKLOAD is
sinusoid (MLP 1-40-40-1, 10 + 10 points), omniglot (28x28, 4 convolutions of 64 filters and stride 2,
batch norm on batch statistics, mean over places, linear head; 1 shot, 1 query) or imagenet (84x84x3,
4 convolutions of 32 filters, each halved by a maximum over 2x2, linear head on all places; 1 shot,
15 queries). Data are random and lie in the device's memory. Prints one line of JSON: the median over
batches of meta-steps, the peak resident memory, on a GPU what a step holds of its memory.
"""

import argparse
import dataclasses
import json
import os
import resource
import statistics
import sys
import time

BATCHES = 9
META_BATCH = {"sinusoid": 25, "omniglot": 32, "imagenet": 4}
INNER_RATE = {"sinusoid": 0.01, "omniglot": 0.4, "imagenet": 0.4}
OUTER_RATE = 1e-3
POINTS, BLOCKS = 10, 4


@dataclasses.dataclass(frozen=True)
class Images:
    size: int
    channels: int
    filters: int
    queries: int
    halved: bool  # by maxima; else by the stride of the convolutions

    def features(self):
        return self.filters * (self.size // 2**BLOCKS) ** 2 if self.halved else self.filters


IMAGES = {"omniglot": Images(28, 1, 64, 1, False), "imagenet": Images(84, 3, 32, 15, True)}


def draw_tasks(options, np):
    """Support and query inputs and targets, task first."""
    rng = np.random.default_rng(1)
    tasks = options.tasks
    if options.workload == "sinusoid":
        amplitude, phase = rng.uniform(0.1, 5, (tasks, 1, 1)), rng.uniform(0, np.pi, (tasks, 1, 1))
        inputs = [rng.uniform(-5, 5, (tasks, POINTS, 1)) for _ in range(2)]
        pairs = [(x, amplitude * np.sin(x - phase)) for x in inputs]
    else:
        images = IMAGES[options.workload]
        shape = (images.channels, images.size, images.size)
        pairs = []
        for shots in (1, images.queries):
            labels = np.tile(np.arange(options.ways), (tasks, shots))
            pairs.append((rng.random((tasks, options.ways * shots, *shape), np.float32), labels))
    return [a if a.dtype.kind == "i" else a.astype("float32") for pair in pairs for a in pair]


def make_jax_step(options):
    os.environ["JAX_PLATFORMS"] = options.device
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    if options.device == "cpu" and options.threads == 1:
        os.environ["XLA_FLAGS"] = (
            "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax

    if options.precision == "float32":
        jax.config.update("jax_default_matmul_precision", "highest")
    images = IMAGES.get(options.workload)
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
            stride = (1, 1) if images.halved else (2, 2)
            x = jax.lax.conv_general_dilated(x, kernel, stride, "SAME",
                                             dimension_numbers=("NCHW", "HWIO", "NCHW"))
            x = x + bias[:, None, None]
            x = (x - x.mean((0, 2, 3), keepdims=True)) * jax.lax.rsqrt(
                x.var((0, 2, 3), keepdims=True) + 1e-3)
            x = jax.nn.relu(x * scale[:, None, None] + shift[:, None, None])
            if images.halved:
                x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2),
                                          "VALID")
        return (x.reshape(len(x), -1) if images.halved else x.mean((2, 3))) @ w + b

    if options.workload == "sinusoid":
        sizes = [1, 40, 40, 1]
        theta = [(weight(i, o), jnp.zeros(o)) for i, o in zip(sizes, sizes[1:])]
        def loss(theta, x, y):
            return jnp.mean((mlp(theta, x) - y) ** 2)
    else:
        filters = images.filters
        theta = [(weight(3, 3, images.channels if i == 0 else filters, filters),
                  jnp.zeros(filters), jnp.ones(filters), jnp.zeros(filters)) for i in range(BLOCKS)]
        theta.append((weight(images.features(), options.ways), jnp.zeros(options.ways)))
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

    tasks = [jnp.asarray(a) for a in draw_tasks(options, np)]
    carried = [theta, optimizer.init(theta)]
    compiled = meta_step.lower(*carried, tasks).compile()

    def run(steps):
        for _ in range(steps):
            carried[:] = compiled(*carried, tasks)
        jax.block_until_ready(carried)

    def held():
        version = {"version": f"JAX {jax.__version__}"}
        if options.device == "cpu":
            return version
        need = compiled.memory_analysis()
        return {**version,
                "device_mib": (need.argument_size_in_bytes + need.output_size_in_bytes
                               + need.temp_size_in_bytes - need.alias_size_in_bytes) / 2**20}

    return run, held


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
        images, layers = IMAGES[options.workload], []
        filters = images.filters
        for i in range(BLOCKS):
            layers += [nn.Conv2d(images.channels if i == 0 else filters, filters, 3,
                                 stride=1 if images.halved else 2, padding=1),
                       nn.BatchNorm2d(filters, eps=1e-3, track_running_stats=False), nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if images.halved else []
        layers += [] if images.halved else [nn.AdaptiveAvgPool2d(1)]
        model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(images.features(), options.ways))
        loss = F.cross_entropy
    optimizer = torch.optim.Adam(model.parameters(), lr=OUTER_RATE)
    tasks = [torch.as_tensor(a) for a in draw_tasks(options, np)]
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
                (query_loss(*task) / options.tasks).backward()
            optimizer.step()

    return run, dict


def make_torch_func_step(options):
    import numpy as np
    import torch
    import torch.nn.functional as F

    on_gpu = options.device == "cuda"
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    if options.precision == "float32":
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
    images = IMAGES.get(options.workload)

    def mlp(theta, x):
        for i in (0, 2):
            x = F.relu(F.linear(x, theta[i], theta[i + 1]))
        return F.linear(x, theta[4], theta[5])

    def conv4(theta, x):
        for i in range(0, 4 * BLOCKS, 4):
            kernel, bias, scale, shift = theta[i:i + 4]
            x = F.conv2d(x, kernel, bias, stride=1 if images.halved else 2, padding=1)
            variance, mean = torch.var_mean(x, (0, 2, 3), correction=0, keepdim=True)
            x = (x - mean) * torch.rsqrt(variance + 1e-3)
            x = F.relu(x * scale[:, None, None] + shift[:, None, None])
            if images.halved:
                x = F.max_pool2d(x, 2)
        return F.linear(x.flatten(1) if images.halved else x.mean((2, 3)), *theta[-2:])

    def weight(*shape):
        return torch.randn(shape) * (2 / np.prod(shape[1:])) ** 0.5

    if options.workload == "sinusoid":
        sizes = [1, 40, 40, 1]
        theta = [p for i, o in zip(sizes, sizes[1:]) for p in (weight(o, i), torch.zeros(o))]
        def loss(theta, x, y):
            return F.mse_loss(mlp(theta, x), y)
    else:
        filters, theta = images.filters, []
        for i in range(BLOCKS):
            theta += [weight(filters, images.channels if i == 0 else filters, 3, 3),
                      torch.zeros(filters), torch.ones(filters), torch.zeros(filters)]
        theta += [weight(options.ways, images.features()), torch.zeros(options.ways)]
        def loss(theta, x, y):
            return F.cross_entropy(conv4(theta, x), y)

    theta = [p.to(options.device) for p in theta]
    tasks = [torch.as_tensor(a).to(options.device) for a in draw_tasks(options, np)]
    rate = INNER_RATE[options.workload]

    def task_loss(theta, xs, ys, xq, yq):
        for _ in range(options.inner):
            gradient = torch.func.grad(loss)(theta, xs, ys)
            theta = [p - rate * g for p, g in zip(theta, gradient)]
        return loss(theta, xq, yq)

    def meta_loss(theta, *tasks):
        return torch.func.vmap(task_loss, (None, 0, 0, 0, 0))(theta, *tasks).mean()

    meta_gradient = torch.func.grad(meta_loss)
    if options.peer == "torch_compile":
        meta_gradient = torch.compile(meta_gradient)
    for p in theta:
        p.grad = torch.zeros_like(p)
    optimizer = torch.optim.Adam(theta, lr=OUTER_RATE, capturable=on_gpu)

    def meta_step():
        for p, g in zip(theta, meta_gradient(theta, *tasks)):
            p.grad.copy_(g)
        optimizer.step()

    step, facts = meta_step, {"version": f"PyTorch {torch.__version__}"}
    if on_gpu:
        try:
            step, facts["cuda_graph"] = torch_graph(meta_step), True
        except RuntimeError as error:
            print(f"no CUDA graph: {error}", file=sys.stderr)
            facts["cuda_graph"] = False

    def run(steps):
        for _ in range(steps):
            step()
        if on_gpu:
            torch.cuda.synchronize()

    def held():
        mib = {"device_mib": torch.cuda.max_memory_allocated() / 2**20} if on_gpu else {}
        return {**facts, **mib}

    return run, held


def torch_graph(step):
    """The step as one recorded CUDA graph. Its peak of memory is that of the recording."""
    import torch

    torch.cuda.synchronize()
    with torch.cuda.stream(torch.cuda.Stream()):
        for _ in range(3):  # compiles, and chooses convolutions
            step()
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


MAKE = {"jax": make_jax_step, "learn2learn": make_torch_step, "torch_loop": make_torch_step,
        "torch_func": make_torch_func_step, "torch_compile": make_torch_func_step}
ON_GPU = ("jax", "torch_func", "torch_compile")


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
    parser.add_argument("peer", choices=sorted(MAKE))
    parser.add_argument("workload", choices=sorted(META_BATCH))
    parser.add_argument("--inner", type=int, default=1)
    parser.add_argument("--tasks", type=int, default=0, help="0: 25, 32 or 4 by the workload")
    parser.add_argument("--ways", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=["float32", "default"], default="float32",
                        help="of matmuls and convolutions; default: the library's own, TF32 on GPUs")
    options = parser.parse_args()
    if options.device == "cuda" and options.peer not in ON_GPU:
        parser.error(f"on a GPU: {', '.join(ON_GPU)}")
    options.tasks = options.tasks or META_BATCH[options.workload]
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    run, held = MAKE[options.peer](options)
    seconds = measure(run, options.seconds)
    print(json.dumps({
        "meta_steps_per_s": 1 / seconds,
        "tasks_per_s": options.tasks / seconds,
        "peak_resident_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, **held()}))


if __name__ == "__main__":
    main()
