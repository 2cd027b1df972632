"""Runs outerloop and its peers in turn, takes medians, writes RESULTS.md and results.json: see cpu.sh."""

import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

import pairs

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PEERS = ROOT / "build" / "peers"
OURS = "outerloop"

# The peers' work: every norm has a learned scale and shift, and both adapt.
SAME_WORK = ("model.norm_scale=true", "inner.adapt_norm=true", "inner.rate=0.4")
CONFIG = {"sinusoid": ("sinusoid_maml", ()), "omniglot": ("omniglot_maml_finn_5w1s", SAME_WORK),
          "20-way": ("omniglot_maml_finn_20w1s", ("tasks.shots=5", "tasks.queries=5"))}
PARAMETERS = {"sinusoid": 40 + 40 + 40 * 40 + 40 + 40 + 1,
              "omniglot": 9 * 64 + 3 * 9 * 64 * 64 + 4 * 3 * 64 + 5 * 64 + 5}


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    workload: str
    program: str = OURS
    threads: int = 1
    inner: int = 1
    segment: int = 0  # ours: steps between stored states; 0 = store all
    isa: str = ""  # ours: the widest if empty
    once: bool = False  # for its memory alone: not repeated

    def what(self):
        extras = [f"{self.inner} steps" if self.inner > 1 else "1 step"]
        extras += [f"segment {self.segment}"] if self.segment else []
        extras += [self.isa] if self.isa else []
        return ", ".join(extras)


CASES = [
    Case("sine", "sinusoid"),
    Case("sine_jax", "sinusoid", "jax"),
    Case("sine_2", "sinusoid", threads=2),
    Case("sine_jax_2", "sinusoid", "jax", threads=2),
    Case("sine_avx2", "sinusoid", isa="avx2"),
    Case("sine_l2l", "sinusoid", "learn2learn"),
    Case("sine_5", "sinusoid", inner=5),
    Case("sine_5_jax", "sinusoid", "jax", inner=5),
    Case("sine_5_segment", "sinusoid", inner=5, segment=1),
    Case("sine_10_segment", "sinusoid", inner=10, segment=1, once=True),
    Case("omni", "omniglot"),
    Case("omni_l2l", "omniglot", "learn2learn"),
    Case("omni_torch", "omniglot", "torch_loop"),
    Case("omni_2", "omniglot", threads=2),
    Case("omni_l2l_2", "omniglot", "learn2learn", threads=2),
    Case("omni_avx2", "omniglot", isa="avx2"),
    Case("omni_5", "omniglot", inner=5),
    Case("omni_5_segment", "omniglot", inner=5, segment=1),
    Case("omni_10_segment", "omniglot", inner=10, segment=1, once=True),
    Case("big", "20-way", inner=5, once=True),
    Case("big_segment", "20-way", inner=5, segment=1, once=True),
]


def speed(a, b):
    return lambda r: r[a]["tasks_per_s"] / r[b]["tasks_per_s"]


def times_best_jax(r):
    """Its second core may cost it more than it brings."""
    return r["sine_2"]["tasks_per_s"] / max(r[case]["tasks_per_s"] for case in ("sine_jax", "sine_jax_2"))


def value(case, key):
    return lambda r: r[case][key]


def copies_of_phi(workload, five, ten):
    """What another inner step adds to the planned memory, in copies of the adapted weights."""
    def planned(result):
        return result["planned_lane_bytes"] + result["buffer_bytes"]
    return lambda r: (planned(r[ten]) - planned(r[five])) / 5 / (4 * PARAMETERS[workload])


def share_of_drawing(case):
    return lambda r: 100 * r[case]["share"]["draw"]


def two_threads(workload, case, bar):
    return [(f"{workload}: {text}", value(case, key), limit, True)
            for text, key, limit in pairs.lines("two threads over one", bar)]


# What is asked for: text, value from {case name: result}, limit, whether more is better.
BARS = [
    ("sinusoid: times JAX, one thread", speed("sine", "sine_jax"), 3.0, True),
    ("sinusoid: fraction of the FMA peak", value("sine", "fraction_of_peak"), 0.45, True),
    *two_threads("sinusoid", "sine_2 pairs", 1.8),
    ("sinusoid: two threads over the best of JAX, on one core or both", times_best_jax, 5.0, True),
    ("sinusoid: task drawing, % of a step", share_of_drawing("sine"), 5, False),
    ("sinusoid: AVX2, fraction of its FMA peak", value("sine_avx2", "fraction_of_peak"), None, True),
    ("sinusoid: time of 5 steps over 1", speed("sine", "sine_5"), 5.3, False),
    ("sinusoid: time of segment 1 over all stored, 5 steps", speed("sine_5", "sine_5_segment"), 1.35,
     False),
    ("sinusoid: copies of the weights that a step adds, segment 1",
     copies_of_phi("sinusoid", "sine_5_segment", "sine_10_segment"), 1.1, False),
    ("sinusoid: resident memory, MiB", value("sine", "peak_resident_mib"), 40, False),
    ("sinusoid: seconds to the first meta-step", value("sine", "seconds_to_first_step"), 0.3, False),
    ("Omniglot: times learn2learn, one thread", speed("omni", "omni_l2l"), 6.0, True),
    ("Omniglot: fraction of the FMA peak", value("omni", "fraction_of_peak"), 0.70, True),
    *two_threads("Omniglot", "omni_2 pairs", 1.85),
    ("Omniglot: task drawing, % of a step", share_of_drawing("omni"), 5, False),
    ("Omniglot: AVX2, fraction of its FMA peak", value("omni_avx2", "fraction_of_peak"), None, True),
    ("Omniglot: time of 5 steps over 1", speed("omni", "omni_5"), 5.3, False),
    ("Omniglot: time of segment 1 over all stored, 5 steps", speed("omni_5", "omni_5_segment"), 1.35,
     False),
    ("Omniglot: copies of the weights that a step adds, segment 1",
     copies_of_phi("omniglot", "omni_5_segment", "omni_10_segment"), 1.1, False),
    ("Omniglot: resident memory, MiB", value("omni", "peak_resident_mib"), 150, False),
    ("Omniglot: seconds to the first meta-step", value("omni", "seconds_to_first_step"), 0.3, False),
    ("20-way 5-shot, 5 steps: resident memory, MiB", value("big", "peak_resident_mib"), 800, False),
    ("20-way 5-shot, 5 steps, segment 1: resident memory, MiB",
     value("big_segment", "peak_resident_mib"), 800, False),
]


def command_of(case, options, cpus=None):
    cpus = cpus or sorted(os.sched_getaffinity(0))[:case.threads]
    pinned = ["taskset", "-c", ",".join(map(str, cpus))]
    if case.program != OURS:
        return pinned + [PEERS / "bin/python", HERE / "peers.py", case.program, case.workload,
                         f"--inner={case.inner}", f"--threads={case.threads}",
                         f"--seconds={options.seconds}"]
    config, overrides = CONFIG[case.workload]
    seconds = 0.01 if case.once else options.seconds
    return pinned + [options.outerloop, "bench", "meta-step", "--json", f"--seconds={seconds}",
                     "--config", ROOT / f"configs/{config}.yaml", *overrides,
                     f"runtime.threads={case.threads}", f"inner.steps={case.inner}",
                     f"inner.segment={case.segment}"]


def run_case(case, options):
    """The program's JSON, or {"error": why not}."""
    if case.program != OURS and not (PEERS / f"{case.program}.ready").exists():
        log = PEERS / f"{case.program}.log"
        said = log.read_text(encoding="utf-8") if log.exists() else ""
        why = [line for line in said.splitlines() if line]
        return {"error": f"not installed: {why[-1][:80]}" if why else "not installed"}
    environment = {**os.environ, "PYTHONPATH": str(PEERS / "learn2learn"),
                   "PYTHONDONTWRITEBYTECODE": "1"}
    if case.isa:
        environment["OUTERLOOP_ISA"] = case.isa
    done = subprocess.run(command_of(case, options), capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        return {"error": lines[-1][:120] if lines else f"exit {done.returncode}"}
    return json.loads(done.stdout)


def measure(cases, options):
    """{case name: medians over the rounds}; programs take turns, so that a slow minute hits all."""
    seen = {case.name: [] for case in cases}
    for round_number in range(options.rounds):
        for case in cases:
            if round_number > 0 and (case.once or "error" in seen[case.name][-1]):
                continue
            result = run_case(case, options)
            seen[case.name].append(result)
            rate = result.get("error") or f"{result['tasks_per_s']:.0f} tasks/s"
            print(f"{round_number + 1}/{options.rounds} {case.name}: {rate}", file=sys.stderr)
    medians = {}
    for name, results in seen.items():
        good = [result for result in results if "error" not in result]
        medians[name] = medians_of(good) if good else results[0]
    return medians


def medians_of(results):
    """Of the numbers, by key; of groups of numbers too."""
    def of(key):
        return [result[key] for result in results]
    return {key: medians_of(of(key)) if isinstance(entry, dict) else statistics.median(of(key))
            for key, entry in results[0].items() if isinstance(entry, (int, float, dict))}


def measure_pairs(cases, options):
    """{"NAME pairs": ratios} of our cases with two threads."""
    found = {}
    for case in cases:
        if case.program != OURS or case.threads != 2 or len(pairs.CORES) < 2:
            continue
        short = argparse.Namespace(**{**vars(options), "seconds": options.pair_seconds})
        found[f"{case.name} pairs"] = pairs.measure(
            lambda cpus, two=case: command_of(dataclasses.replace(two, threads=len(cpus)), short, cpus),
            options.pairs)
        print(f"{case.name} pairs: {found[f'{case.name} pairs']}", file=sys.stderr)
    return found


def about_machine():
    def git(*words):
        try:
            return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True,
                                  check=False).stdout.strip()
        except OSError:
            return ""
    cores = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.split(":")[1].strip() for line in cores if "model name" in line]
    changed = git("status", "--porcelain", "--", "src", "include", "configs")
    return {"date": datetime.date.today().isoformat(),
            "commit": (git("rev-parse", "--short=10", "HEAD") or "unknown") + ("+" if changed else ""),
            "processor": names[0] if names else platform.machine(), "cores": os.cpu_count(),
            "load_at_start": round(os.getloadavg()[0], 1)}


def case_line(case, result):
    cells = [case.workload, case.program, case.what(), str(case.threads)]
    if "error" in result:
        return cells + [result["error"], "", "", "", ""]
    cells += [f"{result['meta_steps_per_s']:,.1f}", f"{result['tasks_per_s']:,.0f}"]
    peak = result.get("fraction_of_peak")
    first = result.get("seconds_to_first_step")
    return cells + [f"{100 * peak:.0f} %" if peak else "", f"{result['peak_resident_mib']:.0f}",
                    f"{first:.3f}" if first is not None else ""]


def bar_line(bar, results):
    text, compute, limit, more = bar
    try:
        measured = compute(results)
    except KeyError:
        return [text, "", "", "not measured"]
    sign = "≥" if more else "≤"
    asked = f"{sign} {limit:g}" if limit is not None else ""
    verdict = "" if limit is None else "yes" if (measured >= limit if more else measured <= limit) else "no"
    return [text, f"{measured:.3g}" if measured < 100 else f"{measured:.0f}", asked, verdict]


def table(head, lines):
    rows = [head, ["---"] * len(head), *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def render(report, cases):
    about, results = report["about"], report["results"]
    return (
        "# Speed and memory on CPUs\n\n"
        "Written by `tools/bench/cpu.sh`: outerloop and other libraries in turn on the same cores, "
        "second order on,\nmedians over rounds, everything pinned. Peers do the same work "
        "(`peers.py` says which).\n\n"
        f"{about['date']}, commit {about['commit']}, {about['cores']} cores of {about['processor']}, "
        f"load {about['load_at_start']} at the start,\n{report['rounds']} round(s) of "
        f"{report['seconds']:g} s. Two threads over one: medians over rounds of short runs in turn, beside "
        "them two processes, one on each\ncore. "
        + pairs.about([(name.removesuffix("_2 pairs"), found) for name, found in results.items()
                       if name.endswith(" pairs")])
        + "\n"
        + table(["asked for", "measured", "bar", "reached"],
                [bar_line(bar, results) for bar in BARS])
        + "\n"
        + table(["workload", "program", "what", "threads", "meta-steps/s", "tasks/s", "FMA peak",
                 "peak resident MiB", "first step s"],
                [case_line(case, results[case.name]) for case in cases]))


def main():
    parser = argparse.ArgumentParser(prog="tools/bench/cpu.sh", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=40, help="rounds of one thread and two")
    parser.add_argument("--pair-seconds", type=float, default=0.5, help="of each of their runs")
    parser.add_argument("--only", nargs="+", metavar="CASE", help="print these, write nothing",
                        choices=[case.name for case in CASES])
    parser.add_argument("--no-peers", action="store_true", help="print ours alone, write nothing")
    parser.add_argument("--outerloop", default=ROOT / "build/release/outerloop", type=pathlib.Path)
    options = parser.parse_args()
    cases = [case for case in CASES
             if (not options.only or case.name in options.only)
             and (not options.no_peers or case.program == OURS)]
    report = {"about": about_machine(), "seconds": options.seconds, "rounds": options.rounds,
              "pairs": options.pairs,
              "results": {**measure(cases, options), **measure_pairs(cases, options)}}
    text = render(report, cases)
    print(text)
    if cases == CASES:
        (HERE / "results.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        (HERE / "RESULTS.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
