"""Writes explain.h5, importance.h5 and metrics.json at sizes of their own.

Definitions as they stand in textbooks, by numpy, fractions and sums over everything; the draws of
importance.h5 are numpy's own RandomState, as scikit-learn uses it. Needs numpy and h5py.
"""
import itertools
import json
import math
from fractions import Fraction
from pathlib import Path

import h5py
import numpy as np

random = np.random.default_rng(7)
FOLDER = Path(__file__).parent


def write_group(file, name, arrays):
    for key, value in arrays.items():
        file[f"{name}/{key}"] = np.asarray(value, dtype=float)


# ---- explain.h5 ---------------------------------------------------------------------------------


def lime(z, y, weight, alpha):
    """Ridge regression as ordinary least squares on rows that stand for the penalty."""
    columns = z.shape[1]
    root = np.sqrt(weight)
    rows = np.column_stack([root, root[:, None] * z])
    penalty = np.column_stack([np.zeros(columns), np.sqrt(alpha) * np.eye(columns)])
    solution = np.linalg.lstsq(
        np.vstack([rows, penalty]), np.concatenate([root * y, np.zeros(columns)]), rcond=None)[0]
    error = y - solution[0] - z @ solution[1:]
    centred = y - np.average(y, weights=weight)
    return {"Z": z, "y": y, "weight": weight, "alpha": alpha, "coef": solution[1:],
            "intercept": solution[0],
            "weighted_r2": 1 - (weight * error**2).sum() / (weight * centred**2).sum()}


def walk(table, order):
    """What each player adds when they come in this order."""
    gains, members = [Fraction(0)] * len(order), 0
    for player in order:
        joined = members | 1 << player
        gains[player] = Fraction(table[joined]) - Fraction(table[members])
        members = joined
    return gains


def mean_walk(table, orders):
    walks = [walk(table, order) for order in orders]
    return [float(sum(gains) / len(walks)) for gains in zip(*walks)]


def kernel_shap(table, players):
    """Weighted least squares with both ends exact, by its normal equations with a multiplier."""
    rows, values, weights = [], [], []
    for members in range(1, 2**players - 1):
        size = members.bit_count()
        rows.append([members >> j & 1 for j in range(players)])
        values.append(table[members] - table[0])
        weights.append((players - 1) / (math.comb(players, size) * size * (players - size)))
    a, w = np.array(rows, dtype=float), np.array(weights)
    system = np.block([[a.T @ (w[:, None] * a), np.ones((players, 1))],
                       [np.ones((1, players)), np.zeros((1, 1))]])
    right = np.append(a.T @ (w * np.array(values)), table[-1] - table[0])
    return np.linalg.solve(system, right)[:-1]


def shap(players, orders):
    table = np.float32(random.uniform(-1, 2, 2**players)).astype(float)
    sizes = range(1, players)
    return {"value_table": table, "orders": orders,
            "shapley": mean_walk(table, itertools.permutations(range(players))),
            "permutation_shap_all": mean_walk(table, itertools.permutations(range(players))),
            "permutation_shap_antithetic": mean_walk(table, orders + [o[::-1] for o in orders]),
            "kernel_shap": kernel_shap(table, players),
            "kernel_weight_by_size": [(players - 1) / (math.comb(players, k) * k * (players - k))
                                      for k in sizes]}


def grow(x, labels, classes, depth):
    """Rows of nodes, preorder, of the tree of least Gini impurity."""
    counts = np.bincount(labels, minlength=classes)
    node = [-1.0, 0.0, -1.0, -1.0, float(counts.argmax()), float(len(labels)), *map(float, counts)]
    best = None
    if depth > 0 and np.count_nonzero(counts) > 1:
        for feature in range(x.shape[1]):
            values = np.unique(x[:, feature])
            for low, high in zip(values, values[1:]):
                left = np.bincount(labels[x[:, feature] <= low], minlength=classes)
                right = counts - left
                score = sum(Fraction(int((side**2).sum()), int(side.sum()))
                            for side in (left, right))
                if best is None or score > best[0]:
                    best = (score, feature, (low + high) / 2)
    if best is None:
        return [node]
    _, node[0], node[1] = best
    below = x[:, node[0]] <= node[1]
    left = grow(x[below], labels[below], classes, depth - 1)
    right = grow(x[~below], labels[~below], classes, depth - 1)
    node[0], node[2], node[3] = float(node[0]), 1.0, 1.0 + len(left)
    for rows, first in ((left, 1), (right, 1 + len(left))):
        for row in rows:
            if row[0] >= 0:
                row[2], row[3] = row[2] + first, row[3] + first
    return [node] + left + right


def answer(nodes, row):
    place = 0
    while nodes[place][0] >= 0:
        feature, threshold, left, right = nodes[place][:4]
        place = int(left if row[int(feature)] <= threshold else right)
    return nodes[place][4]


def cart(rows, columns, classes, depths):
    x = np.round(random.uniform(0, 4, (rows, columns)) * 8) / 8
    centroids = np.round(random.uniform(0, 4, (classes, columns)) * 16) / 16
    labels = ((x[:, None] - centroids) ** 2).sum(axis=2).argmin(axis=1)
    arrays = {"X": x, "centroids": centroids, "labels": labels}
    for depth in depths:
        nodes = grow(x, labels, classes, depth)
        arrays[f"depth{depth}/nodes"] = nodes
        arrays[f"depth{depth}/fidelity"] = np.mean([answer(nodes, r) for r in x] == labels)
    return arrays


def write_explain():
    with h5py.File(FOLDER / "explain.h5", "w", libver="latest") as file:
        z = np.float32(random.normal(size=(31, 9))).astype(float)
        y = np.float32(z[:, 0] - 2 * z[:, 4] + random.normal(size=31)).astype(float)
        write_group(file, "lime_nine", lime(z, y, random.uniform(0.1, 1, 31), 0.25))
        z = (random.uniform(size=(23, 3)) > 0.4).astype(float)
        y = np.float32(3 + z[:, 1] + random.normal(size=23)).astype(float)
        write_group(file, "lime_three", lime(z, y, random.uniform(0.1, 1, 23), 4.0))
        write_group(file, "shap_three", shap(3, [[2, 0, 1]]))
        write_group(file, "shap_six", shap(6, [[5, 0, 3, 1, 2, 4], [0, 2, 4, 1, 5, 3]]))
        write_group(file, "cart_two", cart(37, 2, 2, [1, 3]))
        write_group(file, "cart_five", cart(61, 3, 5, [2, 5]))


# ---- importance.h5 ------------------------------------------------------------------------------


def left_to_right(terms):
    total = terms[:, 0]
    for j in range(1, terms.shape[1]):
        total = total + terms[:, j]
    return total


def predict(model, x):
    if model["kind"] == "centroid":
        apart = [left_to_right((x - c) ** 2) for c in model["centroids"]]
        return np.argmin(apart, axis=0).astype(float)
    if model["kind"] == "constant":
        return np.full(len(x), model["class"])
    value = left_to_right(x * model["coef"]) + model["intercept"]
    return value if model["kind"] == "linear" else (value > 0).astype(float)


def score(model, scoring, x, y, w):
    p = predict(model, x)
    if scoring == "accuracy":
        right = (p == y).astype(float)
        return right.sum() / len(y) if w is None else np.sum(w * right) / np.sum(w)
    weights = np.ones(len(y)) if w is None else w
    mean = np.sum(y) / len(y) if w is None else np.sum(w * y) / np.sum(w)
    return 1 - np.sum(weights * (y - p) ** 2) / np.sum(weights * (y - mean) ** 2)


def importance(model, scoring, x, y, w, seed, repeats, samples):
    n = len(y)
    m = samples if isinstance(samples, int) else int(samples * n)
    sub_seed = np.random.RandomState(seed).randint(np.iinfo(np.int32).max + 1)
    baseline = score(model, scoring, x, y, w)
    values, out = np.empty((x.shape[1], repeats)), {"sub_seed": sub_seed, "baseline": baseline}
    for j in range(x.shape[1]):
        draws = np.random.RandomState(sub_seed)
        rows = draws.permutation(n)[:m] if m < n else np.arange(n)
        if m < n:
            out["row_indices"] = rows
        xp, yp, wp = x[rows].copy(), y[rows], None if w is None else w[rows]
        idx = np.arange(m)
        for k in range(repeats):
            draws.shuffle(idx)
            out.setdefault("first_shuffle", idx.copy())
            xp[:, j] = xp[idx, j]
            values[j, k] = baseline - score(model, scoring, xp, yp, wp)
    mean = np.array([row.sum() / repeats for row in values])
    spread = [np.sqrt(np.sum((r - a) ** 2) / repeats) for r, a in zip(values, mean)]
    return {**out, "importances": values, "importances_mean": mean, "importances_std": spread,
            "n_repeats": repeats, "random_state": seed, "max_samples": samples}


def write_importance():
    sets, models = {}, {}
    x = np.round(random.normal(size=(29, 3)), 6)
    sets["small"] = (x, np.round(x @ [1.0, -0.5, 0.0] + random.normal(size=29), 6))
    x = np.round(random.normal(size=(301, 7)), 6)  # more rows than one block of a pairwise sum
    sets["long"] = (x, (x[:, 0] + x[:, 3] > 0.2).astype(float))
    models["line"] = {"kind": "linear", "coef": np.array([0.9, -0.4, 0.1]), "intercept": 0.05}
    models["logit"] = {"kind": "logistic", "coef": np.array([1, 0, 0, 0.8, 0.1, -0.1, 0.3]),
                       "intercept": -0.2}
    models["nearest"] = {"kind": "centroid", "centroids": np.round(random.normal(size=(2, 7)), 3)}
    models["always"] = {"kind": "constant", "class": 1.0}
    weights = {"small_w": random.uniform(0.5, 2, 29), "long_w": random.uniform(0.5, 2, 301)}
    cases = {
        "line": ("small", "line", "r2", "none", 9, 3, 1.0),
        "line_weights": ("small", "line", "r2", "small_w", 10, 17, 1.0),
        "line_rows": ("small", "line", "r2", "none", 11, 5, 13),
        "logit": ("long", "logit", "accuracy", "none", 4294967295, 4, 1.0),
        "logit_weights": ("long", "logit", "accuracy", "long_w", 5, 9, 0.3),
        "nearest": ("long", "nearest", "accuracy", "none", 0, 1, 0.77),
        "always": ("long", "always", "accuracy", "none", 6, 2, 0.4),
    }
    with h5py.File(FOLDER / "importance.h5", "w", libver="latest") as file:
        for name, (x, y) in sets.items():
            write_group(file, f"datasets/{name}", {"X": x, "y": y})
        for name, model in models.items():
            group = file.create_group(f"models/{name}")
            group.attrs["kind"] = np.bytes_(model["kind"])
            write_group(file, f"models/{name}", {k: v for k, v in model.items() if k != "kind"})
        write_group(file, "sample_weights", weights)
        for name, (data, model, scoring, weight, seed, repeats, samples) in cases.items():
            x, y = sets[data]
            result = importance(models[model], scoring, x, y, weights.get(weight), seed, repeats,
                                samples)
            write_group(file, f"cases/{name}", result)
            for key, text in (("dataset", data), ("model", model), ("scoring", scoring),
                              ("sample_weight", weight)):
                file[f"cases/{name}"].attrs[key] = np.bytes_(text)


# ---- metrics.json -------------------------------------------------------------------------------


def ece(confidence, correct, bins):
    edges = [b / bins for b in range(bins + 1)]
    total, counts = 0.0, []
    for low, high in zip(edges, edges[1:]):
        inside = (confidence > low) & (confidence <= high)
        counts.append(int(inside.sum()))
        if counts[-1]:
            total += abs(math.fsum(confidence[inside]) - math.fsum(correct[inside]))
    return total / len(confidence), counts


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def of_probabilities(p, labels, suffix=""):
    rows = np.arange(len(labels))
    top = p.argmax(axis=1) == labels
    return {"nll" + suffix: -np.log(p[rows, labels]).mean(),
            "brier" + suffix: ((p - np.eye(p.shape[1])[labels]) ** 2).sum(axis=1).mean(),
            "accuracy" + suffix: top.mean(),
            "ece7" + suffix: ece(p.max(axis=1), top.astype(float), 7)[0]}


def temperature(z, labels):
    rows = np.arange(len(labels))

    def slope(inverse):  # of the mean negative log likelihood by 1 / T
        p = softmax(z * inverse)
        return ((p * z).sum(axis=1) - z[rows, labels]).mean()

    low, high = 1e-6, 1e3
    assert slope(low) < 0 < slope(high)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return {"T": 1 / low, "inverse_T": low, "derivative_at_T1": slope(1.0)}


def risk_area(confidence, correct):
    """Mean over all orders of tied items, by trying them all."""
    blocks = [np.flatnonzero(confidence == c) for c in sorted(set(confidence), reverse=True)]
    areas = []
    for orders in itertools.product(*(list(itertools.permutations(b)) for b in blocks)):
        errors = 1 - correct[np.concatenate(orders)]
        areas.append((np.cumsum(errors) / np.arange(1, len(errors) + 1)).mean())
    return math.fsum(areas) / len(areas)


def risk(confidence, correct):
    stable = np.argsort(-confidence, kind="stable")
    curve = lambda order: (np.cumsum(1 - correct[order]) / np.arange(1, len(order) + 1)).mean()
    area, oracle = risk_area(confidence, correct), curve(np.argsort(-correct, kind="stable"))
    r = 1 - correct.mean()
    return {"aurc": area, "aurc_stable": curve(stable), "oracle": oracle, "e_aurc": area - oracle,
            "e_aurc_log": area - (r + (1 - r) * math.log(1 - r))}


def fairness(y, prediction, group):
    names = sorted(set(group))
    rate = lambda mask: [prediction[(group == g) & mask].mean() for g in names]
    selected, tpr, fpr = rate(y == y), rate(y == 1), rate(y == 0)
    spread = lambda values: max(values) - min(values)
    return {"selection_rate": selected, "tpr": tpr, "fpr": fpr, "dp_difference": spread(selected),
            "dp_ratio": min(selected) / max(selected), "tpr_difference": spread(tpr),
            "fpr_difference": spread(fpr), "eo_difference": max(spread(tpr), spread(fpr)),
            "eo_mean": (spread(tpr) + spread(fpr)) / 2}


def tail(losses, share):
    """The least of t + mean excess over t / share; it lies at one of the losses."""
    return min(t + np.maximum(0, losses - t).mean() / share for t in losses)


def over_tasks(values, quantile):
    n = len(values)
    mean, sd = values.mean(), values.std(ddof=1)
    half = quantile * sd / math.sqrt(n)
    sums = [sum(s * v for s, v in zip(signs, values))
            for signs in itertools.product((1, -1), repeat=n)]
    own = values.sum()
    counts = {"two_sided": sum(abs(s) >= abs(own) for s in sums),
              "greater": sum(s >= own for s in sums), "less": sum(s <= own for s in sums)}
    return {"mean": mean, "sd": sd, "se": sd / math.sqrt(n), "t_quantile": quantile, "half": half,
            "lower": mean - half, "upper": mean + half,
            "normal_half": 1.959963984540054 * sd / math.sqrt(n),
            **{f"count_{k}": int(v) for k, v in counts.items()},
            **{f"p_{k}": v / 2**n for k, v in counts.items()}}


def band(x):
    n = len(x)
    flips = np.array(list(itertools.product((1, -1), repeat=n)))
    mean, se = x.mean(axis=0), x.std(axis=0, ddof=1) / math.sqrt(n)
    centred = np.sort([np.abs((s[:, None] * (x - mean)).mean(axis=0) / se).max() for s in flips])
    critical = centred[math.ceil(0.95 * len(flips)) - 1]
    null = []
    for s in flips:
        flipped = s[:, None] * x
        t = flipped.mean(axis=0) / (flipped.std(axis=0, ddof=1) / math.sqrt(n))
        null.append(np.abs(t).max())
    t = np.abs(mean) / se
    counts = [int(sum(v >= own * (1 - 1e-12) for v in null)) for own in t]
    return {"mean": mean, "se": se, "t": t, "critical": critical, "lower": mean - critical * se,
            "upper": mean + critical * se, "p_adjusted_count": counts,
            "p_adjusted": [c / len(flips) for c in counts]}


def write_metrics():
    cases = []

    def add(name, given, expected):
        plain = lambda v: v.tolist() if isinstance(v, (np.ndarray, np.generic)) else v
        cases.append({"name": name, "input": {k: plain(v) for k, v in given.items()},
                      "expected": {k: plain(v) for k, v in expected.items()}})

    confidence = np.append(np.round(random.uniform(0, 1, 40), 3), [0.0, 1.0, 1 / 7])
    correct = (random.uniform(size=43) < confidence).astype(float)
    value, counts = ece(confidence, correct, 7)
    add("ece_seven", {"confidence": confidence, "correct": correct, "bins": 7},
        {"ece": value, "bin_count": counts})
    labels = random.integers(0, 3, 17)
    z = np.round(random.normal(size=(17, 3)) * 3 + 1.5 * np.eye(3)[labels], 4)
    p, best = softmax(z), temperature(z, labels)
    after = of_probabilities(softmax(z * best["inverse_T"]), labels, "_after")
    before = of_probabilities(p, labels)
    add("logits", {"logits": z, "labels": labels},
        {**before, **best, **after, "nll_before": before["nll"], "confidence": p.max(axis=1)})
    p = np.array([[0.125, 0.5, 0.25, 0.125], [0.0625, 0.0625, 0.125, 0.75], [0.25, 0.375, 0.25, 0.125]])
    add("probabilities", {"probabilities": p, "labels": [1, 2, 0]},
        of_probabilities(p, np.array([1, 2, 0])))
    confidence = np.array([0.5, 0.25, 0.75, 0.5, 0.5, 0.125, 0.75, 0.875, 0.25])
    correct = np.array([1.0, 0, 1, 0, 1, 1, 0, 1, 1])
    add("risk", {"confidence": confidence, "correct": correct}, risk(confidence, correct))
    score, label = np.round(random.normal(size=31), 1), (random.uniform(size=31) < 0.4).astype(int)
    pairs = [(a > b) + (a == b) / 2 for a in score[label == 1] for b in score[label == 0]]
    add("ranking", {"score": score, "label": label},
        {"auroc": sum(pairs) / len(pairs), "positives": int(label.sum()),
         "negatives": int((1 - label).sum())})
    group, y = np.repeat([0, 1, 2, 3], 6), np.tile([0, 1, 1, 0, 1, 0], 4)
    prediction = (random.uniform(size=24) < 0.3 + 0.1 * group + 0.2 * y).astype(float)
    add("four_groups", {"y": y, "prediction": prediction, "group": group},
        fairness(y, prediction, group))
    losses, shares = np.round(random.normal(size=13), 3), [0.01, 0.15, 0.4, 0.9, 1]
    add("tail", {"loss": losses, "alphas": shares}, {f"{a:g}": tail(losses, a) for a in shares})
    # The quantiles of Student's t for 6 degrees of freedom, from printed tables.
    add("seven_values", {"values": np.array([5, -3, 2, 9, -1, 4, 7]) / 8},
        over_tasks(np.array([5, -3, 2, 9, -1, 4, 7]) / 8, 2.4469118511449692))
    x = np.round(random.normal(size=(9, 3)) + [0, 0.5, 1.5], 3)
    add("band", {"x": x}, band(x))
    (FOLDER / "metrics.json").write_text(json.dumps({"cases": cases}, indent=1) + "\n")


write_explain()
write_importance()
write_metrics()
