"""Two threads or ranks over one on a machine that others use too: many short rounds in turn, and beside
them what two processes that have nothing to do with each other reach on the two cores."""

import json
import os
import statistics
import subprocess

CORES = sorted(os.sched_getaffinity(0))[:2]
QUIET = 0.95


def start(words):
    return subprocess.Popen([str(w) for w in words], stdout=subprocess.PIPE, text=True)


def speed(process):
    out = process.communicate()[0]
    if process.returncode != 0:
        raise RuntimeError(f"{process.args}: exit code {process.returncode}")
    return json.loads(out)["tasks_per_s"]


def quiet(rounds):
    """Those in which one process by itself and two apart ran, each, within 5 % of the fastest that was
    seen by itself: nobody else used the cores then. What is asked about, "two", has no say."""
    best = max(one["one"] for one in rounds)
    return [one for one in rounds if min(one["one"], one["apart"] / 2) >= QUIET * best]


def ratios(rounds):
    """Medians over {"one", "two", "apart"} of all rounds, and of the quiet ones where there are any."""
    found = {}
    for prefix, chosen in (("", rounds), ("quiet_", quiet(rounds))):
        found[f"{prefix}rounds"] = len(chosen)
        for what in ("two", "apart") if chosen else ():
            found[f"{prefix}{what}_over_one"] = statistics.median(r[what] / r["one"] for r in chosen)
    return found


def measure(command, pairs):
    """command(cores): a bench with a thread on each of these cores."""
    rounds = []
    for _ in range(pairs):
        one, two = (speed(start(command(CORES[:count]))) for count in (1, 2))
        apart = [start(command([core])) for core in CORES]
        rounds.append({"one": one, "two": two, "apart": sum(map(speed, apart))})
    return ratios(rounds)


def lines(name, bar):
    """(text, key of ratios(), bar or None)"""
    return [(f"{name}, quiet rounds", "quiet_two_over_one", bar),
            (f"{name}, all rounds", "two_over_one", None),
            ("two processes apart over one, quiet rounds", "quiet_apart_over_one", None),
            ("two processes apart over one, all rounds", "apart_over_one", None)]
