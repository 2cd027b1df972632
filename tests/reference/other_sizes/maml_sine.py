"""Writes maml_sine.h5: every mode of the layout on another network, other tasks and other settings.

Support gradients are written out for a chain of layers; everything above them (meta-gradients,
gradients of rates and decay, Hessians) is a central difference in 60 digits with steps of 1e-18.
Needs numpy and h5py.
"""
from decimal import Decimal, getcontext
from pathlib import Path

import h5py
import numpy as np

getcontext().prec = 60
STEP = Decimal(10) ** -18
random = np.random.default_rng(21)

WIDTHS = [1, 4, 3, 1]
NAMES = [f"{kind}{layer}" for layer in range(1, len(WIDTHS)) for kind in ("W", "b")]
SHAPES = [s for a, b in zip(WIDTHS, WIDTHS[1:]) for s in ((a, b), (b,))]
SIZES = [int(np.prod(s)) for s in SHAPES]
TASKS, SUPPORT, QUERY, STEPS, IMAML_STEPS = 3, 6, 4, 2, 5
HYPER = {"alpha": 0.06, "momentum": 0.7, "weight_decay": 0.11, "adam_beta1": 0.8,
         "adam_beta2": 0.95, "adam_eps": 1e-6, "imaml_lambda": 3.0, "imaml_steps": IMAML_STEPS}


def f32(values):
    return np.asarray(values, dtype=np.float32).astype(float)


def exact(x):
    x = np.asarray(x, dtype=float)
    return np.array([Decimal(float(v)) for v in x.flat] + [None], dtype=object)[:-1].reshape(x.shape)


H = {key: Decimal(value) for key, value in HYPER.items()}
tanh = np.vectorize(lambda x: 1 - 2 / ((2 * x).exp() + 1), otypes=[object])
root = np.vectorize(Decimal.sqrt, otypes=[object])
FLAT = sum(SIZES)


def parts(flat):
    return [p.reshape(s) for p, s in zip(np.split(flat, np.cumsum(SIZES)[:-1]), SHAPES)]


class Network:
    def __init__(self, activation):
        self.activation = activation

    def loss_and_gradient(self, flat, x, y):
        """Mean squared error and its gradient by all parameters, one flat array."""
        p = parts(flat)
        inputs, slopes = [], []
        h = x
        for layer in range(0, len(p), 2):
            inputs.append(h)
            z = np.dot(h, p[layer]) + p[layer + 1]
            if layer == len(p) - 2:
                h = z
            elif self.activation == "tanh":
                h = tanh(z)
                slopes.append(1 - h * h)
            else:
                # Rounding in float32 must not turn a unit on or off.
                assert abs(z).min() > 2e-4, "draw other numbers"
                h = np.where(z > 0, z, Decimal(0))
                slopes.append(np.where(z > 0, Decimal(1), Decimal(0)))
        error = h - y
        back = 2 * error / error.size
        gradient = []
        for layer in range(len(p) - 2, -1, -2):
            gradient = [np.dot(inputs[layer // 2].T, back), back.sum(axis=0)] + gradient
            if layer:
                back = np.dot(back, p[layer].T) * slopes[layer // 2 - 1]
        return (error * error).sum() / error.size, np.concatenate([g.ravel() for g in gradient])


def only(names):
    return np.concatenate([np.full(n, Decimal(int(name in names)), dtype=object)
                           for name, n in zip(NAMES, SIZES)])


def adapt(network, task, phi, move, steps):
    """phi_0 … phi_K; move(phi, gradient, k, memory) gives the next one."""
    path, memory = [phi], {}
    for k in range(steps):
        gradient = network.loss_and_gradient(path[-1], task["xs"], task["ys"])[1]
        path.append(move(path[-1], gradient, k, memory))
    return path


def momentum(phi, g, k, memory):
    memory["m"] = H["momentum"] * memory.get("m", 0) + g
    return phi - H["alpha"] * memory["m"]


def adam(phi, g, k, memory):
    b1, b2 = H["adam_beta1"], H["adam_beta2"]
    memory["m"] = b1 * memory.get("m", 0) + (1 - b1) * g
    memory["v"] = b2 * memory.get("v", 0) + (1 - b2) * g * g
    m, v = memory["m"] / (1 - b1 ** (k + 1)), memory["v"] / (1 - b2 ** (k + 1))
    return phi - H["alpha"] * m / (root(v) + H["adam_eps"])


def descent(rates):
    return lambda phi, g, k, memory: phi - rates * g


def differences(function, at):
    """d function / d each element; the function may give an array."""
    columns = []
    for place in range(at.size):
        ends = []
        for by in (STEP, -STEP):
            moved = at.copy()
            moved[place] += by
            ends.append(function(moved))
        columns.append((ends[0] - ends[1]) / (2 * STEP))
    return columns


def solve(matrix, right):
    """Elimination without pivoting, for positive definite matrices."""
    a, x = matrix.copy(), right.copy()
    for i in range(len(a)):
        for j in range(i + 1, len(a)):
            factor = a[j, i] / a[i, i]
            a[j], x[j] = a[j] - factor * a[i], x[j] - factor * x[i]
    for i in range(len(a) - 1, -1, -1):
        x[i] = (x[i] - (np.dot(a[i, i + 1:], x[i + 1:]) if i + 1 < len(a) else 0)) / a[i, i]
    return x


class Group:
    """One group of the file: what each task gives, written with its mean."""

    def __init__(self, file, name):
        self.group, self.lists = file.create_group(name), {}

    def add(self, name, value):
        self.lists.setdefault(name, []).append(np.asarray(value))

    def array(self, name, value):
        self.group[name] = np.asarray(value).astype(float)

    def tree(self, name, flats):
        split = list(zip(*(parts(flat) for flat in flats)))
        for key, tensors in zip(NAMES, split):
            self.array(f"{name}/{key}", np.stack(tensors))

    def write(self):
        for name, values in self.lists.items():
            if name in ("grad", "grad_lr", "update") and values[0].shape == (FLAT,):
                self.tree(f"{name}_task", values)
                mean = sum(values) / len(values)
                for key, tensor in zip(NAMES, parts(mean)):
                    self.array(f"{name}/{key}", tensor)
            elif name in ("grad_lr", "grad_wd"):
                self.array(f"{name}_task", np.stack(values))
                self.array(name, sum(values) / len(values))
            elif name in ("phi", "grad_query_at_phi"):
                self.tree(name, values)
            elif name == "outer_loss":
                self.array(name, sum(values) / len(values))
            else:
                self.array(name, np.stack(values))


def add_losses(group, network, task, path):
    for name, x, y in (("query_loss", "xq", "yq"), ("support_loss", "xs", "ys")):
        group.add(name, [network.loss_and_gradient(p, task[x], task[y])[0] for p in path])


def query_loss(network, task, phi):
    return network.loss_and_gradient(phi, task["xq"], task["yq"])[0]


def write_mode(file, network, theta, tasks, mode, steps, settings=None):
    """settings: what else has a gradient, as (name, values, move of those values)."""
    group = Group(file, f"{network.activation}/{mode}/K{steps}")
    weights = [Decimal(0)] * (steps - 1) + [Decimal(1)]
    name, values, move_of = settings or (None, None, None)
    if mode == "lslr":
        weights = list(exact(f32([0.3, 0.7])))
        group.array("msl_weight", weights)
    rates = {"anil": only(NAMES[-2:]), "boil": only(NAMES[:-2])}.get(mode, Decimal(1)) * H["alpha"]
    plain = {"momentum": momentum, "adam": adam}.get(mode, descent(rates))
    for task in tasks:
        def outer(phi, v=values, task=task):
            path = adapt(network, task, phi, move_of(v) if settings else plain, steps)
            return sum(w * query_loss(network, task, p) for w, p in zip(weights, path[1:]))

        path = adapt(network, task, theta, move_of(values) if settings else plain, steps)
        add_losses(group, network, task, path)
        group.add("phi", path[-1])
        if mode == "reptile":
            group.add("update", theta - path[-1])
            continue
        group.add("outer_loss", outer(theta))
        if mode == "first_order":
            group.add("grad", network.loss_and_gradient(path[-1], task["xq"], task["yq"])[1])
        else:
            group.add("grad", np.array(differences(outer, theta), dtype=object))
        if settings:
            slopes = differences(lambda v: outer(theta, v), values)
            shape = (len(NAMES), steps) if mode == "lslr" else values.shape
            group.add(name, np.array(slopes, dtype=object).reshape(shape)[
                () if name != "grad_wd" else 0])
    group.write()
    if mode == "lslr":
        group.array("lr", values.reshape(len(NAMES), steps))
    if mode == "meta_sgd":
        group.array("lr_init", H["alpha"])
    if mode == "meta_sgd_varied":
        for key, tensor in zip(NAMES, parts(values)):
            group.array(f"lr/{key}", tensor)
    if mode == "weight_decay":
        group.array("wd", values[0])


def per_step(values):
    tensors = values.reshape(len(NAMES), STEPS)

    def move(phi, g, k, memory):
        return phi - np.concatenate([np.full(n, r, dtype=object)
                                     for n, r in zip(SIZES, tensors[:, k])]) * g

    return move


def decayed(values):
    return lambda phi, g, k, memory: phi - H["alpha"] * (g + values[0] * phi)


def write_imaml(file, network, theta, tasks, converged):
    pull = H["imaml_lambda"]
    place = "imaml_converged" if converged else f"imaml/K{IMAML_STEPS}"
    group = Group(file, f"{network.activation}/{place}")
    for task in tasks:
        def support(phi, task=task):
            return network.loss_and_gradient(phi, task["xs"], task["ys"])[1]

        def step(phi, g, k, memory):
            return phi - H["alpha"] * (g + pull * (phi - theta))

        path = adapt(network, task, theta, step, IMAML_STEPS)
        if converged:  # Newton's method from there
            for _ in range(8):
                phi = path[-1]
                hessian = np.array(differences(support, phi), dtype=object)
                slope = support(phi) + pull * (phi - theta)
                path.append(phi - solve(hessian + pull * exact(np.eye(FLAT)), slope))
            group.add("query_loss", query_loss(network, task, path[-1]))
        else:
            add_losses(group, network, task, path)
        phi = path[-1]
        matrix = np.array(differences(support, phi), dtype=object) / pull + exact(np.eye(FLAT))
        gradient = network.loss_and_gradient(phi, task["xq"], task["yq"])[1]
        eigenvalues = np.linalg.eigvalsh(matrix.astype(float))
        assert eigenvalues[0] > 0.05, "draw other numbers"
        group.add("phi", phi)
        group.add("grad_query_at_phi", gradient)
        group.add("grad", solve(matrix, gradient))
        group.add("eig_min_max", [eigenvalues[0], eigenvalues[-1]])
        group.add("outer_loss", query_loss(network, task, phi))
    group.write()


def draw_task():
    amplitude, phase = random.uniform(0.5, 2), random.uniform(0, 3)
    task = {}
    for part, rows in (("s", SUPPORT), ("q", QUERY)):
        x = f32(random.uniform(-2, 2, (rows, 1)))
        task["x" + part], task["y" + part] = x, f32(amplitude * np.sin(x + phase))
    return task


def main():
    theta = exact(f32(np.concatenate([random.uniform(-0.9, 0.9, n) for n in SIZES])))
    stored = [draw_task() for _ in range(TASKS)]
    tasks = [{key: exact(value) for key, value in task.items()} for task in stored]
    with h5py.File(Path(__file__).with_name("maml_sine.h5"), "w", libver="latest") as file:
        for key, value in HYPER.items():
            file[f"hyper/{key}"] = value
        for key in stored[0]:
            file[f"data/{key}"] = np.stack([task[key] for task in stored])
        for key, tensor in zip(NAMES, parts(theta)):
            file[f"theta/{key}"] = tensor.astype(float)
        for activation in ("relu", "tanh"):
            network = Network(activation)
            for mode in ("exact", "first_order", "anil", "boil", "momentum", "adam", "reptile"):
                write_mode(file, network, theta, tasks, mode, STEPS)
            uniform = np.full(FLAT, H["alpha"], dtype=object)
            varied = exact(f32(random.uniform(0.01, 0.1, FLAT)))
            rates = exact(f32(random.uniform(0.01, 0.1, len(NAMES) * STEPS)))
            decay = np.array([H["weight_decay"]], dtype=object)
            for mode, settings in (
                ("meta_sgd", ("grad_lr", uniform, descent)),
                ("meta_sgd_varied", ("grad_lr", varied, descent)),
                ("lslr", ("grad_lr", rates, per_step)),
                ("weight_decay", ("grad_wd", decay, decayed)),
            ):
                write_mode(file, network, theta, tasks, mode, STEPS, settings)
            write_imaml(file, network, theta, tasks, converged=False)
            if activation == "tanh":
                write_imaml(file, network, theta, tasks, converged=True)


main()
