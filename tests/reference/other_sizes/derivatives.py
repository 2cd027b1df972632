"""Writes derivatives.h5: the layout's ops at sizes of their own.

Derivatives are central differences in 100 digits with steps of 1e-20, so the stored doubles are
exact: nothing here knows a rule of differentiation. Needs numpy and h5py.
"""
from decimal import Decimal, getcontext
from pathlib import Path

import h5py
import numpy as np

getcontext().prec = 100
STEP = Decimal(10) ** -20
random = np.random.default_rng(5)


def exact(x):
    x = np.asarray(x, dtype=float)
    return np.array([Decimal(float(v)) for v in x.flat] + [None], dtype=object)[:-1].reshape(x.shape)


def each(function):
    return np.vectorize(function, otypes=[object])


def series(x, term, n):  # sin and cos
    total = term
    while abs(term) > Decimal(10) ** -105:
        term = -term * x * x / ((n + 1) * (n + 2))
        total, n = total + term, n + 2
    return total


exp, log, sqrt = each(Decimal.exp), each(Decimal.ln), each(Decimal.sqrt)
sin = each(lambda x: series(x, x, 1))
cos = each(lambda x: series(x, Decimal(1), 0))


def tanh(x):
    e = exp(2 * x)
    return (e - 1) / (e + 1)


def broad(x, shape):
    return np.broadcast_to(x, shape)


def log_softmax(z):
    shifted = z - z.max(axis=1, keepdims=True)
    return shifted - log(exp(shifted).sum(axis=1, keepdims=True))


def cross_entropy(z, label):
    return -log_softmax(z)[np.arange(len(z)), label.astype(int)].sum() / len(z)


def conv2d(x, w, stride, pad_low, pad_high):
    (sy, sx) = (int(s) for s in stride)
    pads = [(0, 0)] + [(int(a), int(b)) for a, b in zip(pad_low, pad_high)] + [(0, 0)]
    x = np.pad(x, pads, constant_values=Decimal(0))
    rows, columns = ((x.shape[1] - w.shape[0]) // sy + 1, (x.shape[2] - w.shape[1]) // sx + 1)
    y = Decimal(0)
    for p in range(w.shape[0]):
        for q in range(w.shape[1]):
            part = x[:, p : p + sy * rows : sy, q : q + sx * columns : sx][:, :rows, :columns]
            y = y + np.dot(part, w[p, q])
    return y


def max_pool(x):
    h, w = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    x = x[:, :h, :w]
    return np.maximum(
        np.maximum(x[:, ::2, ::2], x[:, 1::2, ::2]), np.maximum(x[:, ::2, 1::2], x[:, 1::2, 1::2])
    )


def pad(x, low, high, interior):
    for axis in range(x.ndim):
        apart = int(interior[axis]) + 1
        size = [*x.shape]
        size[axis] = int(low[axis] + high[axis]) + apart * (x.shape[axis] - 1) + 1
        y = np.full(size, Decimal(0), dtype=object)
        at = [slice(None)] * x.ndim
        at[axis] = slice(int(low[axis]), int(low[axis]) + apart * (x.shape[axis] - 1) + 1, apart)
        y[tuple(at)] = x
        x = y
    return x


def scatter(base, update, index):
    y = base.copy()
    for row, place in zip(update, index.astype(int)):
        y[place] = y[place] + row
    return y


def solve_lower(l, b):
    y = b.copy()
    for i in range(len(l)):
        y[i] = (b[i] - (np.dot(l[i, :i], y[:i]) if i else 0)) / l[i, i]
    return y


def solve_upper(u, b):
    return solve_lower(u[::-1, ::-1], b[::-1])[::-1]


def cholesky(a):
    l = np.full(a.shape, Decimal(0), dtype=object)
    for i in range(len(a)):
        for j in range(i + 1):
            rest = a[i, j] - sum((l[i, k] * l[j, k] for k in range(j)), Decimal(0))
            l[i, j] = rest.sqrt() if i == j else rest / l[j, j]
    return l


def eye(n, scale):
    return exact(np.eye(n) * scale)


def spd_solve(m, b):
    l = cholesky(np.dot(m, m.T) + eye(len(m), 1))
    return solve_upper(l.T, solve_lower(l, b))


def batch_norm(x, scale, shift, eps):
    centred = x - x.sum(axis=0) / len(x)
    variance = (centred * centred).sum(axis=0) / len(x)
    return centred / sqrt(variance + Decimal(float(eps))) * scale + shift


def product(kind):
    def multiply(a, b):
        a = np.swapaxes(a, -1, -2) if kind[0] == "t" else a
        b = np.swapaxes(b, -1, -2) if kind[1] == "t" else b
        if a.ndim == 2:
            return np.dot(a, b)
        return np.stack([np.dot(x, y) for x, y in zip(a, b)])

    return multiply


def grid(shapes, low, high):
    """Distinct numbers, far from each other and from zero: away from kinks and ties."""
    count = sum(int(np.prod(s)) for s in shapes)
    places = low + (high - low) * (random.permutation(count) + 0.5) / count
    places = np.where(abs(places) < 0.04, places + 0.08, places).astype(np.float32)
    parts = np.split(places, np.cumsum([int(np.prod(s)) for s in shapes])[:-1])
    return [p.reshape(s).astype(float) for p, s in zip(parts, shapes)]


E = [(2, 5)]
POSITIVE = (0.4, 2.1)
OPS = {  # name: (function of inputs and constants, shapes, constants, range)
    "neg": (lambda x: -x, E),
    "exp": (exp, E),
    "log": (log, E, {}, POSITIVE),
    "sqrt": (sqrt, E, {}, POSITIVE),
    "rsqrt": (lambda x: 1 / sqrt(x), E, {}, POSITIVE),
    "tanh": (tanh, [(7,)]),
    "logistic": (lambda x: 1 / (1 + exp(-x)), E),
    "sin": (sin, E),
    "cos": (cos, E),
    "abs": (abs, E),
    "relu": (lambda x: np.maximum(x, Decimal(0)), [(2, 3, 2)]),
    "square": (lambda x: x * x, E),
    "reciprocal": (lambda x: 1 / x, E, {}, POSITIVE),
    "pow_1p3": (lambda x, exponent: x ** Decimal(float(exponent)), E, {"exponent": 1.3}, POSITIVE),
    "pow_int4": (lambda x, exponent: x**4, E, {"exponent": 4.0}),
    "add": (lambda a, b: a + b, E * 2),
    "sub": (lambda a, b: a - b, E * 2),
    "mul": (lambda a, b: a * b, E * 2),
    "div": (lambda a, b: a / b, E * 2, {}, POSITIVE),
    "max": (np.maximum, E * 2),
    "min": (np.minimum, E * 2),
    "select": (
        lambda a, b, mask: np.where(mask != 0, a, b), [(5,)] * 2, {"mask": [1, 0, 0, 1, 1]}),
    "sum_all": (lambda x: x.sum(), [(2, 3, 2)]),
    "sum_axes12": (lambda x: x.sum(axis=(1, 2)), [(2, 3, 2)]),
    "sum_axis0_keep": (lambda x: x.sum(axis=0, keepdims=True), [(4, 2)]),
    "mean_axis1": (lambda x: x.sum(axis=1) / x.shape[1], [(2, 5)]),
    "reduce_max_axis0": (lambda x: x.max(axis=0), [(4, 3)]),
    "reduce_max_all": (lambda x: x.max(), [(7,)]),
    "broadcast_row": (lambda x: broad(x, (4, 3)), [(3,)]),
    "broadcast_col": (lambda x: broad(x, (2, 5)), [(2, 1)]),
    "broadcast_scalar": (lambda x: broad(x, (2, 2)), [()]),
    "reshape": (lambda x: x.reshape(5, 2, 1), [(2, 5)]),
    "transpose_2d": (lambda x: x.T, E),
    "transpose_120": (lambda x: x.transpose(1, 2, 0), [(2, 3, 2)]),
    "slice": (
        lambda x, start, stop, step: x[0:2, 1:2], [(3, 4)],
        {"start": [0, 1], "stop": [2, 2], "step": [1, 1]}),
    "slice_strided": (
        lambda x, start, stop, step: x[1:6:3, 0:5:2], [(6, 5)],
        {"start": [1, 0], "stop": [6, 5], "step": [3, 2]}),
    "pad": (pad, [(2, 3)], {"low": [0, 2], "high": [3, 1], "interior": [0, 0]}),
    "pad_interior": (pad, [(2, 3)], {"low": [0, 1], "high": [2, 0], "interior": [2, 1]}),
    "concat_axis0": (lambda *x: np.concatenate(x, 0), [(1, 4), (3, 4)]),
    "concat_axis1": (lambda *x: np.concatenate(x, 1), [(2, 1), (2, 4), (2, 2), (2, 1)]),
    "gather_rows": (lambda x, index: x[index.astype(int)], [(3, 2)], {"index": [2, 0, 2, 2]}),
    "gather_cols": (
        lambda x, index: x[:, index.astype(int)], [(2, 4)], {"index": [3, 3, 0, 1, 2]}),
    "take_per_row": (
        lambda x, index: x[np.arange(3), index.astype(int)], [(3, 2)], {"index": [1, 1, 0]}),
    "scatter_add_rows": (scatter, [(4, 2), (3, 2)], {"index": [3, 0, 3]}),
    **{f"matmul_{k}": (product(k), [(2, 6) if k[0] == "n" else (6, 2),
                                    (6, 3) if k[1] == "n" else (3, 6)])
       for k in ("nn", "nt", "tn", "tt")},
    **{f"batch_matmul_{k}": (product(k), [(3, 2, 4) if k[0] == "n" else (3, 4, 2),
                                          (3, 4, 1) if k[1] == "n" else (3, 1, 4)])
       for k in ("nn", "nt", "tn", "tt")},
    "conv2d_s1_same_even": (
        conv2d, [(1, 4, 3, 3), (3, 3, 3, 2)],
        {"stride": [1, 1], "pad_low": [1, 1], "pad_high": [1, 1]}),
    "conv2d_s1_valid_odd": (
        conv2d, [(3, 3, 5, 1), (3, 3, 1, 2)],
        {"stride": [1, 1], "pad_low": [0, 0], "pad_high": [0, 0]}),
    # An odd number of rows and an even number of columns.
    "conv2d_s2_same_even": (
        conv2d, [(1, 5, 4, 2), (3, 3, 2, 1)],
        {"stride": [2, 2], "pad_low": [1, 0], "pad_high": [1, 1]}),
    "conv2d_s2_valid_even": (
        conv2d, [(1, 6, 4, 2), (3, 3, 2, 2)],
        {"stride": [2, 2], "pad_low": [0, 0], "pad_high": [0, 0]}),
    "max_pool_2x2_odd": (max_pool, [(1, 5, 3, 3)]),
    "max_pool_2x2_even": (max_pool, [(3, 2, 4, 1)]),
    "softmax": (lambda z: exp(log_softmax(z)), [(2, 7)]),
    "log_softmax": (log_softmax, [(4, 2)]),
    "softmax_xent": (cross_entropy, [(3, 6)], {"label": [5, 0, 5]}),
    "softmax_xent_large": (cross_entropy, [(2, 3)], {"label": [2, 1]}),
    "mse": (lambda p, t: ((p - t) ** 2).sum() / p.size, [(5, 1)] * 2),
    "cholesky": (lambda m: cholesky((m + m.T) / 2 + eye(len(m), 5)), [(3, 3)]),
    "triangular_solve_lower": (solve_lower, [(3, 3), (3, 1)], {}, POSITIVE),
    "triangular_solve_lower_trans": (
        lambda m, b: solve_upper(m.T, b), [(2, 2), (2, 3)], {}, POSITIVE),
    "triangular_solve_upper": (solve_upper, [(3, 3), (3, 2)], {}, POSITIVE),
    "spd_solve": (spd_solve, [(3, 5), (3, 1)]),
    "batch_norm": (batch_norm, [(7, 2), (2,), (2,)], {"eps": 0.02}),
}
CURVED = ("exp", "rsqrt", "tanh", "mul", "div", "matmul_nt", "softmax", "softmax_xent", "spd_solve",
          "cholesky", "triangular_solve_upper", "batch_norm", "conv2d_s2_same_even")


def moved(x, direction, by):
    return [np.asarray(a + by * d, dtype=object) for a, d in zip(x, direction)]


def along(function, x, direction):
    plus, minus = function(moved(x, direction, STEP)), function(moved(x, direction, -STEP))
    return [np.asarray((p - m) / (2 * STEP), dtype=object) for p, m in zip(plus, minus)]


def gradient(f, x):
    result = [np.empty(a.shape, dtype=object) for a in x]
    for i, a in enumerate(x):
        for place in np.ndindex(a.shape):
            ends = []
            for by in (STEP, -STEP):
                shifted = [b.copy() for b in x]
                shifted[i][place] += by
                ends.append(f(shifted))
            result[i][place] = (ends[0] - ends[1]) / (2 * STEP)
    return result


def write(group, name, function, shapes, constants=None, limits=(-1.5, 1.5)):
    linear = name.endswith("_lin")
    inputs = grid(shapes, *limits)
    if name.startswith("softmax_xent_large"):
        inputs[0] += 1000.0 * np.array([[1], [-1]])
    constants = {k: np.asarray(v, dtype=float) for k, v in (constants or {}).items()}
    x = [exact(a) for a in inputs]
    v, u = ([np.float32(random.uniform(-1, 1, s)).astype(float) for s in shapes] for _ in range(2))
    y = np.asarray(function(*x, **constants), dtype=object)
    c = np.float32(random.uniform(-1, 1, y.shape)).astype(float)
    weights = exact(c)

    def f(x):
        y = np.asarray(function(*x, **constants), dtype=object)
        wrapped = y if linear else y + y * y / 2 + y * y * y / 6
        return np.sum(weights * wrapped)

    def grad(x):
        return gradient(f, x)

    def hvp(x):
        return along(grad, x, [exact(a) for a in v])

    results = {"grad": grad(x), "hvp": hvp(x), "d3": along(hvp, x, [exact(a) for a in u])}
    out = group.create_group(name)
    out.attrs["wrap"] = np.bytes_("f = sum(c*y)" if linear else "f = sum(c*(y + y^2/2 + y^3/6))")
    out["c"], out["out"], out["value"] = c, y.astype(float), float(f(x))
    for key, value in constants.items():
        out[f"const/{key}"] = value
    for key, parts in {"inputs": inputs, "v": v, "u": u, **results}.items():
        for i, part in enumerate(parts):
            out[f"{key}/{i}"] = np.asarray(part).astype(float)


with h5py.File(Path(__file__).with_name("derivatives.h5"), "w", libver="latest") as file:
    ops = file.create_group("op")
    for name, entry in OPS.items():
        write(ops, name, *entry)
        if name in CURVED:
            write(ops, name + "_lin", *entry)
