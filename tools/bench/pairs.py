"""Two threads or ranks over one on a machine that others use too: many short rounds in turn, and beside
them what two processes that have nothing to do with each other reach on the two cores."""

import json
import os
import statistics
import subprocess

CORES = sorted(os.sched_getaffinity(0))[:2]
NEAR = 0.95
LEAST = 5  # quiet rounds, for a figure of them


def start(words):
    return subprocess.Popen([str(w) for w in words], stdout=subprocess.PIPE, text=True)


def speed(process):
    out = process.communicate()[0]
    if process.returncode != 0:
        raise RuntimeError(f"{process.args}: exit code {process.returncode}")
    return json.loads(out)["tasks_per_s"]


def quiet(rounds):
    """Rounds {"alone", "apart", …} in which, so probably, nobody else used the cores: one process by
    itself and two apart were, each, within 5 % of the speed by itself that one round in ten passes. What
    is asked about has no say, so a choice of fast ones makes its ratio smaller, if anything."""
    fast = sorted(one["alone"] for one in rounds)[len(rounds) * 9 // 10]
    return [one for one in rounds if min(one["alone"], one["apart"] / 2) >= NEAR * fast]


def ratios(rounds):
    """Medians over rounds of {"one", "two", "alone", "apart"}, speeds: what two are over one; and the same
    of the quiet rounds, where there are enough."""
    def median(chosen, a, b):
        return statistics.median(one[a] / one[b] for one in chosen)

    chosen = quiet(rounds)
    found = {"rounds": len(rounds), "quiet_rounds": len(chosen),
             "two_over_one": median(rounds, "two", "one"),
             "apart_over_one": median(rounds, "apart", "alone"),
             "two_over_apart": median(rounds, "two", "apart")}
    if len(chosen) >= LEAST:
        found["quiet_two_over_one"] = median(chosen, "two", "one")
    return found


def measure(command, pairs):
    """command(cores): a bench with a thread on each of these cores."""
    rounds = []
    for _ in range(pairs):
        one, two = (speed(start(command(CORES[:count]))) for count in (1, 2))
        apart = [start(command([core])) for core in CORES]
        rounds.append({"one": one, "alone": one, "two": two, "apart": sum(map(speed, apart))})
    return ratios(rounds)


def lines(name, bar):
    """(text, key of ratios(), bar or None)"""
    return [(f"{name}, all rounds", "two_over_one", bar),
            (f"{name}, quiet rounds", "quiet_two_over_one", bar),
            ("two processes apart over one", "apart_over_one", None),
            (f"{name.split(' over')[0]} over two processes apart", "two_over_apart", None)]


def about(counts):
    """counts: [(name or "", ratios)]"""
    found = " and ".join(f"{one['quiet_rounds']} of {one['rounds']}" + (f" of {name}" if name else "")
                         for name, one in counts)
    return (f"Quiet rounds ({found}; a figure wants {LEAST}): one process alone and two apart came within "
            f"{100 * (1 - NEAR):.0f} % of the\nfastest tenth, so probably nobody else used the cores. The "
            "bar is asked of all rounds and of these.\n")
