"""RESULTS.md from results.json: a pure function, so that a test can tell a stale table."""

import math
import pathlib
import statistics

import letters as printed
import rows as store

MEDIAN_TOLERANCE = 0.25  # the source gives medians without their spread over seeds

# Commits of trainings that came into the repository under other names, and when.
RENAMED = {"4220306fe8": "2026-11-21", "7160bea101": "2026-11-22"}

HEAD = f"""# Published results, reproduced

Written by `tests/published/run.sh` from `results.json`; `tests/published/run.sh --list` shows the
rows, `tests/published/run.sh ROW` trains one from its shipped config and the words that the list
shows beside it, goes on where it was stopped, and writes it here. Protocols are in the configs. Pretrained models are in `models/`, with their
config inside: `outerloop eval tests/published/models/ROW.h5` tests one again. Commits are those
that a training began with. Some came into the repository under other names and after others:
{", ".join(f"{commit} ({date})" for commit, date in RENAMED.items())}.
"""

ACCURACY_HEAD = """
## Omniglot, accuracy on unseen classes in percent

The interval is 95 % over test tasks. Reproduced: the interval reaches the published one. Tested and
kept is the best checkpoint by validation, or the last where the row's config says so. Images are
Lanczos grey levels; those of most sources came out as nearest-pixel black and white, which may be
harder (configs). Trainings shared their machine with other work: their times are upper bounds.

| row | what | published | here | tasks | seeds | status | trained | commit | date |
|---|---|---|---|---|---|---|---|---|---|
"""

LOSS_HEAD = """
## Sinusoids, mean squared error after so many steps

No source gives a table, so the expected values are those of an independent C++ implementation:
[least, most] over its 5 seeds of the mean over tasks below 20, and the median over tasks. Here:
mean over seeds of the same mean ± its 95 % interval over seeds, [least, most], and the median seed.
Status: whether the median seed and the mean lie in the expected range, and how many seeds do; the
median over seeds of the median task is within 25 % of the expected one unless it says otherwise.
Reproduced: median and mean do. Seeds differ more than tasks: some trainings end in a poor optimum,
so the mean over seeds says less than the median seed, and not every seed lies inside; trainings of
the same protocol by JAX, below, spread alike.

| row | what | step | expected | here | median seed | median task: expected, here | diverged | tasks x seeds | status | commit | date |
|---|---|---|---|---|---|---|---|---|---|---|---|
"""

# 97.5 % quantiles of Student's t by degrees of freedom, from 1.
STUDENT = [12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179,
           2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086]


def student(freedom):
    """The same for any number of them; Abramowitz and Stegun 26.7.5, to 1e-4 beyond the list."""
    if freedom <= len(STUDENT):
        return STUDENT[freedom - 1]
    z = 1.959964
    return (z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
            + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3))


def interval(values):
    """Half the width of the 95 % interval of a mean; nan where a value is not finite."""
    if len(values) < 2 or not all(map(math.isfinite, values)):
        return math.nan
    quantile = student(len(values) - 1)
    return quantile * statistics.stdev(values) / math.sqrt(len(values))


def finished_seeds(row, results):
    seeds = results.get(row.name, {}).get("seeds", {})
    return [seeds[str(seed)] for seed in range(row.seeds) if str(seed) in seeds]


def progress(row, results):
    """Empty for a finished row, else how far it is."""
    done = len(finished_seeds(row, results))
    if done == row.seeds:
        return ""
    iterations = results.get(row.name, {}).get("progress", 0)
    if done == 0 and iterations == 0:
        return "not started"
    share = 100 * (done * row.iterations + iterations) / (row.seeds * row.iterations)
    return f"{share:.0f} % trained" + (f", {done} of {row.seeds} seeds" if row.seeds > 1 else "")


def at_step(runs, step):
    return [next(point for point in run["curve"] if point["step"] == step) for run in runs]


def loss_status(points, expected):
    means = [point["mean"] for point in points]
    median = statistics.median(point["median"] for point in points)
    low, high = expected["range"]
    inside = [low <= round(mean, 2) <= high for mean in means]  # the range has two decimals
    seeds = f"{sum(inside)} of {len(inside)} seeds inside"
    if not low <= round(statistics.median(means), 2) <= high:
        return f"median seed outside; {seeds}"
    if abs(median / expected["median"] - 1) > MEDIAN_TOLERANCE:
        return f"median task outside; {seeds}"
    if not low <= round(statistics.mean(means), 2) <= high:
        return f"median seed inside, mean outside; {seeds}"
    return f"reproduced; {seeds}"


def loss_lines(row, results):
    runs = finished_seeds(row, results)
    for step, expected in row.expected.items():
        points = at_step(runs, int(step))
        means = [point["mean"] for point in points]
        low, high = expected["range"]
        cells = [f"`{row.name}`", row.title, step, f"[{low:.2f}, {high:.2f}]"]
        if points:
            status = progress(row, results) or loss_status(points, expected)
            diverged = sum(point["diverged"] for point in points)
            tasks = sum(run["tasks"] for run in runs)
            cells += [f"{statistics.mean(means):.3f} ± {interval(means):.3f} "
                      f"[{min(means):.2f}, {max(means):.2f}]",
                      f"{statistics.median(means):.3f}",
                      f"{expected['median']:.3f}, "
                      f"{statistics.median(point['median'] for point in points):.3f}",
                      f"{100 * diverged / tasks:.2f} %", f"{runs[0]['tasks']:,} x {len(runs)}",
                      status, runs[-1]["commit"], runs[-1]["date"]]
        else:
            cells += ["", "", f"{expected['median']:.3f}", "", "", progress(row, results), "", ""]
        yield cells


def accuracy_status(point, published):
    if published is None:
        return "no published number"
    missing = published["mean"] - (published["ci95"] or 0) - 100 * (point["mean"] + point["ci95"])
    return "reproduced" if missing <= 0 else f"below by {missing:.2f}"


def percent(point):
    return f"{100 * point['mean']:.2f} ± {100 * point['ci95']:.2f}"


def accuracy_lines(row, results):
    published = row.published or {}
    source = f"{published['mean']:g}" if published else "–"
    if published.get("ci95"):
        source += f" ± {published['ci95']:g}"
    source += f" ({row.remark})" if row.remark else ""
    cells = [f"`{row.name}`", row.title, source]
    runs = finished_seeds(row, results)
    if not runs:
        so_far = results.get(row.name, {}).get("so_far")
        reached = [f"{percent(so_far)} after {so_far['iterations']:,} iterations",
                   f"{so_far['tasks']:,}"] if so_far else ["", ""]
        return [cells + [*reached, "", progress(row, results), "", "", ""]]
    point = runs[0]["curve"][-1]
    tested = store.iterations_of(pathlib.Path(runs[0]["checkpoint"]))
    of = "" if tested == runs[0]["iterations"] else f", tested as of {tested:,}"
    return [cells + [percent(point), f"{runs[0]['tasks']:,}",
                     str(len(runs)), accuracy_status(point, row.published),
                     f"{runs[0]['iterations']:,} iterations{of}, {runs[0]['wall_s'] / 60:.0f} min "
                     f"on {runs[0]['threads']} thread(s)",
                     runs[0]["commit"], runs[0]["date"]]]


TABLE_HEAD = """
## Tables, mean squared error on unseen tasks

In squared deviations of the training rows' targets; spi and insteval in squared rating points. The
task is the unit: draws of a task are averaged first, and ± is Student's 95 % interval over tasks.
Here: mean over seeds and tasks ±, [least, most] seed. The columns from global mean to hierarchical
are `outerloop baselines` on the test tasks of seed 0; difference: here minus hierarchical, task by
task. Below, as good, above: that difference's interval lies below zero, holds it, lies above it.
`tasks.shots` rows are the support set and `test.queries` others the queries; README: the best model
in the data set's README, which takes all other rows as queries (flights, us_employment and
remifentanil: the same hierarchical model; spi and insteval: matrix factorisation). With insteval's
1,128 inputs the hierarchical model's tasks differ by a constant alone. All but flights need
`OUTERLOOP_DATA` (tools/datasets/ready_tables.py makes them).

| row | k | here | global mean | support mean | task ridge | pooled | hierarchical | difference | README | status | tasks, draws x seeds | commit | date |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
"""


def table_status(difference, mark, beside):
    """difference: (mean, half of the interval) over the model that is the mark, a mean. beside:
    {name: (mean of the row, mean of another model)}"""
    mean, half = difference
    if not math.isfinite(mean):
        return "tasks diverged"
    status = "below" if mean + half < 0 else "above" if mean - half > 0 else "as good"
    if mean > 0:
        status += f", {100 * mean / mark:.1f} % more"
    return status + "".join(f"; not below {name}" for name, (one, other) in beside.items()
                            if one >= other)


def table_lines(row, results, baselines):
    runs = finished_seeds(row, results)
    columns = TABLE_HEAD.splitlines()[-1].count("---")
    if not runs or row.table not in baselines:
        return [[f"`{row.name}`", row.shots, *[""] * (columns - 6), progress(row, results), "", "", ""]]
    known = baselines[row.table]
    unit = known["target_variance"] if row.table in ("spi", "insteval") else 1
    losses = known["shots"][row.shots]["loss"]
    tasks = [store.unpacked(run["by_task"]) for run in runs]
    of_seeds = [statistics.mean(one) for one in tasks]
    here = [statistics.mean(seeds) for seeds in zip(*tasks, strict=True)]
    mark = store.unpacked(losses["hierarchical"]["by_task"])
    differences = [one - other for one, other in zip(here, mark, strict=True)]
    mean = statistics.mean(here)
    number = lambda value: f"{unit * value:.3f}" if unit * abs(value) >= .1 else f"{unit * value:.4f}"
    with_interval = lambda values: f"{number(statistics.mean(values))} ± {number(interval(values))}"
    simple = [number(losses[name]["mean"])
              for name in ("global mean", "support mean", "task ridge", "pooled")]
    status = table_status((statistics.mean(differences), interval(differences)),
                          statistics.mean(mark), {"pooled": (mean, losses["pooled"]["mean"])})
    return [[f"`{row.name}`", row.shots,
             f"{with_interval(here)} [{number(min(of_seeds))}, {number(max(of_seeds))}]", *simple,
             with_interval(mark), with_interval(differences), f"{row.readme:.3f}",
             progress(row, results) or status,
             f"{len(here)}, {runs[0]['tasks']:,} x {len(runs)}", runs[-1]["commit"], runs[-1]["date"]]]


PEER_HEAD = """
## The same sinusoid protocols trained by JAX

`tests/published/peer_sinusoid.py ROW` trains the protocol of a row with jax and optax: other random
numbers, so other seeds. It shows how seeds spread, and that trainings end in a poor optimum there
too. Mean over 20,000 tasks below 20.

| row | step | JAX: median seed | JAX: every seed | here: median seed | here: every seed |
|---|---|---|---|---|---|
"""


def peer_lines(row, results, peer):
    runs = finished_seeds(row, results)
    for step in row.expected if row.name in peer and runs else ():
        theirs = sorted(seed[step] for seed in peer[row.name].values())
        ours = sorted(point["mean"] for point in at_step(runs, int(step)))
        cells = [f"`{row.name}`", step]
        for means in (theirs, ours):
            cells += [f"{statistics.median(means):.3f}", " ".join(f"{mean:.2f}" for mean in means)]
        yield cells


def lines_of(cells):
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def render(rows, results, peer, baselines, letters=None):
    text = HEAD
    for head, lines, regression in ((ACCURACY_HEAD, accuracy_lines, False),
                                    (LOSS_HEAD, loss_lines, True)):
        text += head
        for row in rows:
            if row.is_regression == regression and not row.table:
                text += lines_of(lines(row, results))
    text += printed.HEAD if letters else ""
    for row in rows if letters else ():
        text += lines_of(printed.lines(row, results, letters))
    text += TABLE_HEAD
    for row in rows:
        if row.table:
            text += lines_of(table_lines(row, results, baselines))
    text += PEER_HEAD if peer else ""
    for row in rows:
        text += lines_of(peer_lines(row, results, peer))
    return text
