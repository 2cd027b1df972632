"""Times importance against PyTorch and on ranks, writes IMPORTANCE.md: see importance.sh."""

import argparse
import json
import pathlib
import statistics
import sys

import cpu
import pairs
import ranks

HERE = pathlib.Path(__file__).resolve().parent
RUN = cpu.ROOT / "tests/published/models/omniglot_maml_5w1s.h5"
DATA = cpu.ROOT / "configs/datasets/omniglot28.h5"


def start(options, number_of_ranks, core=ranks.CORES[0]):
    words = [options.outerloop, "bench", "importance", RUN, f"tasks.dataset={DATA}",
             "test.queries=15", "test.steps=3", "--estimands", "query",
             "--metrics", "log_loss", "--repeats", 2, "--patch", 4, "--tasks", options.tasks,
             "--threads", 1, "--json"]
    return ranks.start(words, number_of_ranks, core)


def ours(options, number_of_ranks):
    return json.loads(ranks.finish(start(options, number_of_ranks)))


def apart(options):
    processes = [start(options, 0, core) for core in ranks.CORES]
    return sum(json.loads(ranks.finish(process))["cells_per_s"] for process in processes)


def torch(options):
    words = [options.python, HERE / "importance_torch.py", "--tasks", 4]
    return json.loads(ranks.finish(ranks.start(words)))["cells_per_s"]


def median(rounds, a, b):
    return statistics.median(one[a] / one[b] for one in rounds)


def two_ranks(rounds):
    """(text, measured, limit as text, reached or None), with two processes apart"""
    found = pairs.ratios(with_alone(rounds))
    rows = []
    for text, key, bar in pairs.lines("two ranks over one", 1.9):
        value = found.get(key)
        rows.append((text, "" if value is None else f"{value:.3f}", f"≥ {bar}" if bar else "",
                     None if bar is None else "not measured" if value is None else value >= bar))
    return rows


def with_alone(rounds):
    return [{**one, "alone": one["plain"]} for one in rounds]


def peak(report):
    return report["ours"]["fma_peak_gflops"]


def known_reports():
    """One of each kind of core, the fastest first."""
    file = HERE / "importance.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else []


def with_report(reports, new):
    """In place of the one of the same kind of core: of the same name and, within a fifth, peak."""
    def is_other(old):
        same_name = old["about"]["processor"] == new["about"]["processor"]
        return not same_name or abs(peak(old) / peak(new) - 1) > 0.2
    return sorted([new, *filter(is_other, reports)], key=peak, reverse=True)


def render_machine(report):
    rounds, about, last = report["rounds"], report["about"], report["ours"]
    over_torch = median(rounds, "plain", "torch")
    bars = [("one core over a loop in PyTorch", f"{over_torch:.2f}", "≥ 5", over_torch >= 5),
            *two_ranks(rounds)]
    rows = [[text, value, limit, ranks.verdict(reached)] for text, value, limit, reached in bars]
    speeds = [[name, f"{statistics.median(one[key] for one in rounds):,.0f}"]
              for key, name in (("torch", "PyTorch loop, one core"), ("plain", "outerloop, one core"),
                                ("one", "outerloop, one rank"), ("two", "outerloop, two ranks"),
                                ("apart", "outerloop, two processes apart, together"))]
    return (f"## {about['processor']}, {peak(report):.0f} GFLOP/s of FMA a core\n\n"
            f"{about['date']}, commit {about['commit']}, {about['cores']} cores, load "
            f"{about['load_at_start']} at the start, {len(rounds)} rounds of {last['tasks']} tasks.\n"
            + pairs.about([("", pairs.ratios(with_alone(rounds)))]) + "\n"
            + cpu.table(["asked for", "measured", "bar", "reached"], rows) + "\n"
            + cpu.table(["", "cells/s"], speeds)
            + f"\nOne core: {last['rows_per_s']:,.0f} images/s, {last['gflops']:.0f} GFLOP/s, "
            f"{100 * last['fraction_of_peak']:.0f} % of the FMA peak.\n"
            f"{100 * last['spared_share']:.1f} % of our cells are copies equal to the original, which "
            "need no answers; PyTorch's\nloop answers them.\n")


def render(reports):
    return ("# Speed of importance\n\n"
            "Written by `tools/bench/importance.sh`: 49 patches x 2 repeats of 75 Omniglot query images, "
            "adaptation of each\ntask included; a cell is the score of a permuted copy; medians over "
            "rounds, in which all take turns. The last\nmeasurement of each kind of core that was met.\n\n"
            + "\n".join(map(render_machine, reports)))


def main():
    parser = argparse.ArgumentParser(prog="tools/bench/importance.sh", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--tasks", type=int, default=128)
    parser.add_argument("--python", default=cpu.PEERS / "bin/python", type=pathlib.Path)
    parser.add_argument("--outerloop", default=cpu.ROOT / "build/release/outerloop",
                        type=pathlib.Path)
    options = parser.parse_args()
    if len(ranks.CORES) < 2:
        sys.exit("outerloop: two ranks need two cores, and this process may use one: see taskset")
    report = {"about": cpu.about_machine(), "rounds": []}
    for number in range(options.rounds):
        report["ours"] = ours(options, 0)
        report["rounds"].append({"torch": torch(options), "plain": report["ours"]["cells_per_s"],
                                 "one": ours(options, 1)["cells_per_s"],
                                 "two": ours(options, 2)["cells_per_s"],
                                 "apart": apart(options)})
        text = ", ".join(f"{name} {value:.0f}" for name, value in report["rounds"][-1].items())
        print(f"{number + 1}/{options.rounds}: {text} cells/s", file=sys.stderr)
    print(render_machine(report))
    reports = with_report(known_reports(), report)
    (HERE / "importance.json").write_text(json.dumps(reports, indent=1) + "\n", encoding="utf-8")
    (HERE / "IMPORTANCE.md").write_text(render(reports), encoding="utf-8")


if __name__ == "__main__":
    main()
