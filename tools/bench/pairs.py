"""Two threads over one on a machine that others use too: many short runs in turn, the ratio of each
pair, and beside it what two processes that have nothing to do with each other reach on the two cores."""

import json
import os
import statistics
import subprocess

CORES = sorted(os.sched_getaffinity(0))[:2]


def start(words):
    return subprocess.Popen([str(w) for w in words], stdout=subprocess.PIPE, text=True)


def speed(process):
    out = process.communicate()[0]
    if process.returncode != 0:
        raise RuntimeError(f"{process.args}: exit code {process.returncode}")
    return json.loads(out)["tasks_per_s"]


def measure(command, pairs):
    """command(cores): a bench with a thread on each of these cores."""
    seen = []
    for _ in range(pairs):
        one, two = (speed(start(command(CORES[:count]))) for count in (1, 2))
        apart = [start(command([core])) for core in CORES]
        seen.append((two / one, sum(speed(process) for process in apart) / one))
    two, apart = zip(*seen)
    return {"pairs": pairs, "two_over_one": statistics.median(two),
            "apart_over_one": statistics.median(apart)}
