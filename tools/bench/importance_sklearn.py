"""Times scikit-learn's permutation_importance and outerloop's in turn: see importance_sklearn.sh."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import h5py
import numpy
import sklearn
from sklearn.inspection import permutation_importance
from sklearn.neural_network import MLPRegressor

import cpu

ROWS, FEATURES, HIDDEN, REPEATS, SEED = 10_000, 50, (64, 64), 10, 0
PRECISIONS = {"float64": numpy.float64, "float32": numpy.float32}
# What scikit-learn computes in, what outerloop does, and how many times as fast it is to be with numbers
# equal to 1e-6.
COMPARED = [("float64", "float32", 10), ("float64", "float64", None), ("float32", "float32", 4)]


def trained():
    """The table and one network, for each precision."""
    warnings.simplefilter("ignore")  # a few epochs are enough: the network is not the point
    random = numpy.random.default_rng(0)
    x = random.normal(size=(ROWS, FEATURES)).astype(numpy.float32)
    y = (x @ random.normal(size=FEATURES) * 0.2 + numpy.sin(2 * x[:, 0]) * x[:, 1]).astype(numpy.float32)
    models = {name: MLPRegressor(hidden_layer_sizes=HIDDEN, max_iter=20, random_state=0)
              .fit(x.astype(dtype), y.astype(dtype)) for name, dtype in PRECISIONS.items()}
    for part in ("coefs_", "intercepts_"):
        setattr(models["float64"], part, [a.astype(numpy.float64) for a in getattr(models["float32"], part)])
    return x, y, models


def write_files(folder, x, y, model):
    with h5py.File(folder / "table.h5", "w") as file:
        for j in range(FEATURES):
            file[f"x{j:02}"] = x[:, j]
        file["y"] = y
    layers = {}
    for number, (weight, bias) in enumerate(zip(model.coefs_, model.intercepts_), 1):
        layers |= {f"layer{number}.weight": weight.T, f"layer{number}.bias": bias}
    numpy.savez(folder / "net.npz", **layers)
    (folder / "importance.yaml").write_text(
        "table: table.h5\ntarget: y\nmodel: mlp\nparameters: net.npz\n"
        f"metrics: [r2]\nrng: sklearn\nseed: {SEED}\nrepeats: {REPEATS}\nthreads: 1\n",
        encoding="utf-8")
    return folder / "importance.yaml"


def outerloop(program, *words):
    return subprocess.run([program, *map(str, words)], check=True, capture_output=True, text=True).stdout


def values_of(program, config, precision):
    run = config.parent / f"run-{precision}"
    outerloop(program, "importance", config, f"precision={precision}", f"run_dir={run}", "--quiet")
    metric = json.loads((run / "importance.json").read_text(encoding="utf-8"))["metrics"][0]
    return numpy.array([group["values"] for group in metric["groups"]])


def time_peer(model, x, y):
    wall, processor = time.perf_counter(), time.process_time()
    found = permutation_importance(model, x, y, n_repeats=REPEATS, random_state=SEED, n_jobs=1)
    return {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - processor}, found


def measure(program, rounds):
    x, y, models = trained()
    peers, ours, found = {name: [] for name in PRECISIONS}, [], {}
    with tempfile.TemporaryDirectory() as name:
        config = write_files(pathlib.Path(name), x, y, models["float32"])
        for _ in range(rounds):
            ours.append(json.loads(outerloop(program, "bench", "importance", config, "--json")))
            for precision, dtype in PRECISIONS.items():
                peer, found[precision] = time_peer(models[precision], x.astype(dtype), y.astype(dtype))
                peers[precision].append(peer)
        values = {precision: values_of(program, config, precision) for precision in PRECISIONS}

    def middle(runs):
        return {key: statistics.median(run[key] for run in runs) for key in runs[0]
                if isinstance(runs[0][key], float)}

    return [{"scikit_learn": {"precision": theirs, **middle(peers[theirs])},
             "outerloop": {"precision": own, **middle([one[own] for one in ours])}, "bar": bar,
             "largest_difference": float(numpy.abs(values[own] - found[theirs].importances).max())}
            for theirs, own, bar in COMPARED]


def table_of(results):
    lines = []
    for r in results:
        peer, ours = r["scikit_learn"], r["outerloop"]
        bar = "" if r["bar"] is None else f"≥ {r['bar']}"
        lines.append([f"{one['precision']} {one['seconds']:.3g} ({one['cpu_seconds']:.3g})"
                      for one in (peer, ours)]
                     + [f"{peer['seconds'] / ours['seconds']:.1f}",
                        f"{peer['cpu_seconds'] / ours['cpu_seconds']:.1f}", bar,
                        f"{r['largest_difference']:.1e}", f"{ours['cells_per_s']:.0f}",
                        f"{ours['fraction_of_gemm']:.2f}"])
    return cpu.table(["scikit-learn, s (processor's)", "outerloop, s (processor's)", "times",
                      "of the processor's time", "bar", "largest difference", "cells/s",
                      "of sgemm or dgemm"], lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--outerloop", default=str(cpu.ROOT / "build/release/outerloop"))
    options = parser.parse_args()
    core = sorted(os.sched_getaffinity(0))[-1]
    about = cpu.about_machine()
    os.sched_setaffinity(0, [core])
    results = measure(options.outerloop, options.rounds)
    text = f"""# Permutation importance of a network

Written by `tools/bench/importance_sklearn.sh`: scikit-learn {sklearn.__version__} and outerloop in turn on one core, the same
MLPRegressor {FEATURES}-{"-".join(map(str, HIDDEN))}-1, {ROWS:,} rows, {REPEATS} repeats, the same permutations; medians over
{options.rounds} rounds. "Largest difference" is over all {FEATURES * REPEATS} decreases of R². The last column counts dense layers.

{about['date']}, commit {about['commit']}, load {about['load_at_start']} at the start.

{table_of(results)}"""
    (cpu.HERE / "IMPORTANCE_SKLEARN.md").write_text(text, encoding="utf-8")
    (cpu.HERE / "importance_sklearn.json").write_text(json.dumps(results, indent=1) + "\n",
                                                      encoding="utf-8")
    print(text)
    return 0 if all(r["largest_difference"] < 1e-6 for r in results) else 1


if __name__ == "__main__":
    sys.exit(main())
