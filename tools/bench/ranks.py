"""Times ranks against a plain process, writes RANKS.md and ranks.json: see ranks.sh."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import cpu
import pairs

HERE = pathlib.Path(__file__).resolve().parent
CONFIG = cpu.ROOT / "configs/omniglot_maml.yaml"
CORES = pairs.CORES
# One thread a rank, each rank on a core of its own, whatever the launcher thinks of cores.
PIN = (f"set -- {' '.join(map(str, CORES))} \"$@\"; core=$1; "
       "[ \"${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-0}}\" = 0 ] || core=$2; shift 2; "
       "exec taskset -c $core \"$@\"")
MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
       "OMPI_MCA_hwloc_base_binding_policy": "none",
       "OMPI_MCA_hwloc_base_use_hwthreads_as_cpus": "1"}


def start(words, ranks=0, core=CORES[0]):
    """Without ranks: a plain process on that core."""
    words = [str(word) for word in words]
    if ranks > 0:
        words = ["mpirun", "-np", str(ranks), "sh", "-c", PIN, "sh", *words]
    else:
        words = ["taskset", "-c", str(core), *words]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env={**os.environ, **MPI})


def finish(process):
    out, error = process.communicate()
    if process.returncode != 0:
        sys.exit(f"outerloop: exit {process.returncode}: {error.strip().splitlines()[-1:]}")
    return out


def train(options, folder):
    """Three windows, each with a checkpoint; the time of each iteration is in the metrics."""
    return [options.outerloop, "train", CONFIG, f"run_dir={folder}", "--quiet", "--resume=never",
            "runtime.threads=1", f"outer.iterations={3 * options.iterations}",
            f"checkpoint.every={options.iterations}", "log.every_iterations=1",
            "validation.every=0", "test.tasks=0", "report.write=false"]


def windows(options, folder):
    """Seconds of the iterations of the second window and of the third: without the start, and without the
    end, which waits for the last checkpoint."""
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ends = [line["wall_s"] for line in map(json.loads, lines) if line["kind"] == "train"]
    seconds = [end - begin for begin, end in zip(ends, ends[1:])][options.iterations - 1:]
    return [seconds[:options.iterations], seconds[options.iterations:]]


def round_of_trainings(options, folder):
    """The windows of each case; they take turns, so that a slow minute hits all."""
    found = {}
    for name, ranks in (("plain", 0), ("one", 1), ("two", 2)):
        finish(start(train(options, folder / name), ranks))
        found[name] = windows(options, folder / name)
    both = [start(train(options, folder / f"apart{core}"), core=core) for core in CORES]
    for process in both:
        finish(process)
    found["apart"] = [windows(options, folder / f"apart{core}") for core in CORES]
    return found


def mean_speeds(options, found):
    """Tasks per second of a round, all of its time."""
    def speed(pieces):
        return options.meta_batch * 2 * options.iterations / sum(map(sum, pieces))

    return {**{name: speed(found[name]) for name in ("plain", "one", "two")},
            "apart": sum(map(speed, found["apart"]))}


def median_speeds(options, rounds):
    """Tasks per second of windows whose every iteration takes the median over rounds of that place: with
    the checkpoint, which has its place, and without the moments in which others used a core."""
    def speed(pieces):
        return (options.meta_batch * options.iterations
                / sum(statistics.median(place) for place in zip(*pieces, strict=True)))

    def of(case):
        return [window for one in rounds for window in case(one)]

    return {**{name: speed(of(lambda one, name=name: one[name])) for name in ("plain", "one", "two")},
            "apart": sum(speed(of(lambda one, core=core: one["apart"][core]))
                         for core in range(len(CORES)))}


def reduction(options):
    """Milliseconds of a meta-step, and those of its reduction that no work hides, on two ranks."""
    out = finish(start([options.outerloop, "bench", "meta-step", "--json", "--config", CONFIG,
                        "runtime.threads=1"], ranks=2))
    result = json.loads(out)
    step = 1e3 / result["meta_steps_per_s"]
    return {"step_ms": step, "exposed_ms": step * result["share"]["reduce"]}


def collectives(options):
    """Results of bench comm by backend."""
    words = [options.outerloop, "bench", "comm", "--json"]
    local = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return {"local": json.loads(local)["results"],
            "mpi": json.loads(finish(start(words, ranks=2)))["results"]}


def ratio(rounds, a, b):
    return statistics.median(one[a] / one[b] for one in rounds)


def bars(report):
    """(text, measured, limit as text, reached or None)"""
    speeds, rounds = report["speeds"], report["rounds"]
    two, apart = speeds["two"] / speeds["one"], speeds["apart"] / speeds["plain"]
    overhead = speeds["plain"] / speeds["one"] - 1
    return [
        ("two ranks over one", f"{two:.3f}", "≥ 1.9", two >= 1.9),
        ("two processes apart over one", f"{apart:.3f}", "", None),
        ("two ranks over one, others' moments too", f"{ratio(rounds, 'two', 'one'):.3f}", "", None),
        ("two processes apart over one, the same", f"{ratio(rounds, 'apart', 'plain'):.3f}", "", None),
        ("one rank: what it loses against a plain process", f"{100 * overhead:.1f} %", "< 2 %",
         overhead < 0.02)]


def verdict(reached):
    return {True: "yes", False: "no", None: ""}.get(reached, reached)


def speed_table(report):
    names = {"plain": "plain process", "one": "one rank", "two": "two ranks",
             "apart": "two processes apart, together"}
    lines = [[text, f"{report['speeds'][name]:,.0f}"] for name, text in names.items()]
    return cpu.table(["", "tasks/s"], lines)


def collective_table(results):
    lines = []
    for local, mpi in zip(results["local"], results["mpi"], strict=True):
        lines.append([local["what"], f"{local['bytes']:,}"]
                     + [f"{one['us']:.1f}" for one in (local, mpi)]
                     + [f"{one[key]:.2f}" for one in (local, mpi)
                        for key in ("algbw_gbytes_per_s", "busbw_gbytes_per_s")])
    return cpu.table(["two ranks", "bytes", "local µs", "MPI µs", "local algbw", "busbw", "MPI algbw",
                      "busbw (GB/s)"], lines)


def render(report):
    about, step, rounds = report["about"], report["reduction"], report["rounds"]
    lines = [[text, value, limit, verdict(reached)] for text, value, limit, reached in bars(report)]
    return ("# Speed of ranks\n\n"
            "Written by `tools/bench/ranks.sh`: trainings of Omniglot conv4, one thread a rank, each "
            "on a core of its own,\nreduction included, and a checkpoint every "
            f"{report['iterations']} iterations. Times are medians by the place of an iteration "
            "between\ntwo checkpoints; those with others' moments are means of a round, and of them the "
            "median.\n\n"
            f"{about['date']}, commit {about['commit']}, {about['cores']} cores of "
            f"{about['processor']}, load {about['load_at_start']} at the start,\n"
            f"{len(rounds)} rounds of {2 * report['iterations']} iterations after "
            f"{report['iterations']} to warm up.\n\n"
            + cpu.table(["asked for", "measured", "bar", "reached"], lines) + "\n"
            + speed_table(report)
            + f"\nA meta-step on two ranks takes {step['step_ms']:.2f} ms. Its reduction and the "
            f"waiting for the other rank,\nafter a rank's own work, take {step['exposed_ms']:.2f} ms "
            "of them.\n\n"
            + collective_table(report["collectives"]))


def main():
    parser = argparse.ArgumentParser(prog="tools/bench/ranks.sh", description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--outerloop", default=cpu.ROOT / "build/release/outerloop",
                        type=pathlib.Path)
    options = parser.parse_args()
    if len(CORES) < 2:
        sys.exit("outerloop: two ranks need two cores, and this process may use one: see taskset")
    options.meta_batch = 32  # of CONFIG
    report = {"about": cpu.about_machine(), "iterations": options.iterations, "rounds": []}
    all_found = []
    for number in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            all_found.append(round_of_trainings(options, pathlib.Path(folder)))
        report["rounds"].append(mean_speeds(options, all_found[-1]))
        text = ", ".join(f"{name} {value:.0f}" for name, value in report["rounds"][-1].items())
        print(f"{number + 1}/{options.rounds}: {text} tasks/s", file=sys.stderr)
    report["speeds"] = median_speeds(options, all_found)
    report["reduction"] = reduction(options)
    report["collectives"] = collectives(options)
    text = render(report)
    print(text)
    (HERE / "ranks.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (HERE / "RANKS.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
