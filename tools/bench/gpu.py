"""Checks outerloop on a GPU, runs it and its peers there in turn, writes GPU.md and gpu.json: see
gpu.sh."""

import argparse
import contextlib
import dataclasses
import datetime
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import cpu
import gpu_checks
import random_images

HERE = cpu.HERE
OURS = cpu.OURS
PEERS = {"jax": ("jax", "optax"), "torch_func": ("torch",), "torch_compile": ("torch",)}
LIMIT = {OURS: 60, "jax": 75, "torch_func": 60, "torch_compile": 100}  # seconds of a case
IDLE = 3  # seconds of the whole that are kept to write the table
SKIPPED = "skipped: the time was up"

# The peers' work: rules of the norm as in cpu.py, images as they come.
IMAGES = (*cpu.SAME_WORK, "tasks.rotation=none")
COLOUR = ("model.filters=32", "model.pooling=max", "model.readout=flatten", "tasks.queries=15")
WORKLOADS = {  # config, overrides, the peer's words
    "sinusoid": ("sinusoid_maml", (), ("sinusoid",)),
    "Omniglot 5-way": ("omniglot_maml_finn_5w1s", IMAGES, ("omniglot", "--ways=5")),
    "Omniglot 20-way": ("omniglot_maml_finn_20w1s", IMAGES, ("omniglot", "--ways=20")),
    "84x84x3 5-way": ("omniglot_maml_finn_5w1s", IMAGES + COLOUR, ("imagenet", "--ways=5")),
}


# What is not as in the bars: for ours words, for peers their precision.
WAYS = {"fast": ("runtime.numerics=fast",),
        "tf32": ("runtime.numerics=fast", "runtime.precision=tf32"),
        "segment 1": ("inner.segment=1",)}
OWN_PRECISION = "own precision"


@dataclasses.dataclass(frozen=True)
class Case:
    workload: str
    tasks: int
    steps: int
    program: str = OURS
    way: str = ""

    @property
    def name(self):
        return f"{self.workload}, {self.tasks} tasks, steps {self.steps}, {self.who}"

    @property
    def who(self):
        return self.program + (f", {self.way}" if self.way else "")


# What the bars ask about comes first, ours and its peers side by side, so that a lack of time hits
# the rest, which another run makes up for (--continue).
ASKED = [("sinusoid", 25, 5), ("Omniglot 5-way", 32, 1), ("Omniglot 5-way", 32, 5)]
OTHERS = [("sinusoid", 25, 1), ("sinusoid", 25, 10), ("sinusoid", 1024, 1), ("sinusoid", 1024, 5),
          ("sinusoid", 1024, 10), ("Omniglot 5-way", 256, 1), ("Omniglot 5-way", 256, 5),
          ("Omniglot 20-way", 32, 1), ("Omniglot 20-way", 32, 5), ("Omniglot 20-way", 256, 1),
          ("Omniglot 20-way", 256, 5), ("84x84x3 5-way", 4, 5)]
OF_MEMORY = [work for work in ASKED if work[2] == 5]
CASES = ([case for work in ASKED
          for case in (Case(*work),
                       *([Case(*work, OURS, "segment 1")] if work in OF_MEMORY else []),
                       *(Case(*work, program) for program in PEERS))]
         + [Case(*work, OURS, way) for work in ASKED for way in ("fast", "tf32")]
         + [Case(*work) for work in OTHERS]
         + [Case(*work, program) for program in PEERS for work in OTHERS]
         + [Case(*work, program, OWN_PRECISION) for program in ("jax", "torch_func")
            for work in ASKED])
TINY = [case for steps in (1, 5)
        for case in (Case("sinusoid", 4, steps), Case("sinusoid", 4, steps, "jax"))]
TINY += [Case("sinusoid", 4, 5, OURS, "segment 1")]


class Deadline:
    def __init__(self, seconds, clock=time.monotonic):
        self.clock = clock
        self.end = clock() + seconds

    def allows(self, limit):
        """Seconds that something of that limit may take; 0: too little is left to begin it."""
        left = self.end - self.clock() - IDLE
        return min(limit, left) if left >= 5 else 0


def peers_of(workload, tasks, steps, results):
    """Their results in float32."""
    cases = [Case(workload, tasks, steps, program) for program in PEERS]
    return [results[case.name] for case in cases if "error" not in results.get(case.name, {"error": 1})]


def times_best_peer(*work):
    def ratio(results, way=""):
        best = max((peer["tasks_per_s"] for peer in peers_of(*work, results)), default=None)
        return results[Case(*work, OURS, way).name]["tasks_per_s"] / best if best else None
    return ratio


def memory_of_best_peer(*work, way=""):
    """Our memory over that of the peer that needs least."""
    def ratio(results):
        least = min((peer["device_mib"] for peer in peers_of(*work, results) if "device_mib" in peer),
                    default=None)
        return results[Case(*work, OURS, way).name]["device_mib"] / least if least else None
    return ratio


def of_the_links(kind):
    return lambda results: results[gpu_checks.BETWEEN]["fraction_of_bus"][kind]


# As in cpu.py: text, value from {case name: result}, limit, whether more is better.
BARS = [
    ("sinusoid, 25 tasks, 5 steps: times the best peer", times_best_peer("sinusoid", 25, 5), 5, True),
    ("Omniglot 5-way, 32 tasks, 1 step: times the best peer",
     times_best_peer("Omniglot 5-way", 32, 1), 3, True),
    *((f"{work[0]}, {work[1]} tasks, {work[2]} steps{', ' + way if way else ''}: "
       "memory over the best peer's", memory_of_best_peer(*work, way=way), 0.25, False)
      for work in OF_MEMORY for way in ("", "segment 1")),
    *((f"{kind} between GPUs: fraction of what their links give", of_the_links(kind), 0.85, True)
      for kind in ("ordered sum", "fast sum")),
]


def bar_line(bar, results):
    try:
        measured = bar[1](results)
    except KeyError:
        measured = None
    if measured is None:
        sign = "≥" if bar[3] else "≤"
        return [bar[0], "", f"{sign} {bar[2]:g}", "not measured"]
    return cpu.bar_line((bar[0], lambda _: measured, *bar[2:]), results)


@contextlib.contextmanager
def sampled_memory(on_gpu):
    """A list that gets, at the end, what the GPU's memory held more at most than before, in MiB."""
    grown = []
    if not on_gpu or shutil.which("nvidia-smi") is None:
        yield grown
        return
    with tempfile.TemporaryFile("w+") as samples:
        sampler = subprocess.Popen(
            ["nvidia-smi", "--id=0", "--query-gpu=memory.used", "--format=csv,noheader,nounits",
             "--loop-ms=100"], stdout=samples, stderr=subprocess.DEVNULL)
        time.sleep(0.3)
        try:
            yield grown
        finally:
            sampler.terminate()
            sampler.wait()
            samples.seek(0)
            used = [int(line) for line in samples.read().split() if line.isdigit()]
            grown += [max(used) - used[0]] if used else []


def words_of_training(case, colour):
    """The config, from the project's folder, and words."""
    config, overrides, _ = WORKLOADS[case.workload]
    own = case.workload.startswith("84")
    data = [f"tasks.dataset={colour}", "tasks.split=fractions"] if own else []
    return [f"configs/{config}.yaml", *overrides, *data, f"outer.meta_batch={case.tasks}",
            f"inner.steps={case.steps}", *WAYS.get(case.way, ())]


def words_of(case, options):
    if case.program != OURS:
        return [options.python, HERE / "peers.py", case.program, *WORKLOADS[case.workload][2],
                f"--tasks={case.tasks}", f"--inner={case.steps}", f"--device={options.device}",
                f"--precision={'default' if case.way == OWN_PRECISION else 'float32'}",
                f"--seconds={options.seconds}"]
    config, *words = words_of_training(case, options.colour)
    return ["bench", "meta-step", "--json", f"--seconds={options.seconds}",
            "--config", cpu.ROOT / config, *words, f"runtime.device={options.device}"]


def run_case(case, options, seconds):
    """The program's JSON, or {"error": why not}."""
    if seconds <= 0:
        return {"error": SKIPPED}
    with sampled_memory(options.device == "cuda") as grown:
        words = words_of(case, options)
        result = (gpu_checks.run_ours(options, words, seconds) if case.program == OURS
                  else gpu_checks.run(words, seconds))
    if result.why:
        return {"error": result.why}
    measured = json.loads(result.out.strip().splitlines()[-1] if case.program != OURS else result.out)
    if "peak_device_bytes" in measured:
        measured["device_mib"] = measured["peak_device_bytes"] / 2**20
    return {**measured, **({"sampled_mib": grown[0]} if grown else {})}


def measure(cases, options, deadline, known=None):
    """{case name: result}; of what is `known`, all but what the time did not allow stays."""
    results = {name: found for name, found in (known or {}).items() if not was_skipped(found)}
    for number, case in enumerate(cases):
        if case.name in results:
            continue
        if case.program != OURS and case.program not in options.peers:
            results[case.name] = {"error": "not installed"}
            continue
        results[case.name] = run_case(case, options, deadline.allows(LIMIT[case.program]))
        found = results[case.name]
        rate = found.get("error") or f"{found['tasks_per_s']:,.0f} tasks/s"
        print(f"{number + 1}/{len(cases)} {case.name}: {rate}", file=sys.stderr)
    return results


def was_skipped(result):
    return result.get("error") == SKIPPED


def of_ceiling(value, text, ceiling):
    """A value with the part of the ceiling that it is; nothing of none."""
    if not value:
        return ""
    return f"{value:{text}}" + (f" ({100 * value / ceiling:.0f} %)" if ceiling else "")


def case_line(case, results, ceilings):
    result = results[case.name]
    cells = [case.workload, str(case.tasks), str(case.steps), case.who]
    if "error" in result:
        return cells + [result["error"], "", "", "", "", "", "", ""]
    ours = results.get(Case(case.workload, case.tasks, case.steps).name, {})
    flops = result["tasks_per_s"] * ours.get("flops_per_task", 0) / 1e12
    best = times_best_peer(case.workload, case.tasks, case.steps)(results, case.way) if (
        case.program == OURS) else None
    mib = [f"{result[key]:,.1f}" if key in result else "" for key in ("device_mib", "sampled_mib")]
    launches = result.get("launches_per_step")
    return cells + [f"{result['meta_steps_per_s']:,.1f}", f"{result['tasks_per_s']:,.0f}",
                    of_ceiling(flops, ".3f", ceilings.get("fma_tflops")),
                    of_ceiling(result.get("gbytes_per_s"), ",.0f", ceilings.get("copy_gbytes_per_s")),
                    f"{best:.2f}" if best else "", *mib,
                    f"{launches:g}" if launches is not None else ""]


def render(report, cases):
    about, ceilings, results = report["about"], report["ceilings"], report["results"]
    what = (f"{ceilings['fma_tflops']:.1f} TFLOP/s of float32 multiply-adds (a kernel of chains), "
            f"{ceilings['matmul_tflops']:.1f} TFLOP/s in\nmatrix products of 8192 x 8192 (cuBLAS "
            f"without TF32), {ceilings['copy_gbytes_per_s']:,.0f} GB/s copied, read and write counted"
            ) if "error" not in ceilings else f"not measured: {ceilings['error']}"
    return (
        "# Speed and memory on a GPU\n\n"
        "Written by `tools/bench/gpu.sh`: outerloop and other libraries in turn on the same GPU, "
        "second order on,\nmedians over batches of meta-steps. outerloop draws its tasks in the time "
        "measured and has the CPU's bits;\npeers do the same work on tasks that lie there, in "
        "float32 without TF32 unless said (`peers.py`).\n\n"
        f"{about['date']}, commit {about['commit']}, {about['device']}, driver {about['driver']}.\n"
        f"Peers: {', '.join(report['peers']) or 'none'}. {report['seconds']:g} s a case, "
        f"{report['took']:.0f} s in all.\n"
        f"The device gives, measured by `ceilings.py` in the same run: {what}.\n\n"
        + cpu.table(["check", "result"], [list(pair) for pair in report["checks"].items()]) + "\n"
        + cpu.table(["asked for", "measured", "bar", "reached"],
                    [bar_line(bar, results) for bar in BARS])
        + "\nTFLOP/s, of multiply-adds: the operations that outerloop counts of a task, for peers too. "
        "GB/s, of copying: what\neach kernel of outerloop's tasks reads and writes of the GPU's memory "
        "by its plan, every element of an operand\nonce; caches may save some of it, and peers do not "
        "tell theirs. Memory: what the step's arrays take (outerloop:\nthe most that it held; JAX: the "
        "compiler's figure; PyTorch: the allocator's peak of a step); and what `nvidia-smi`\nsaw more "
        "than before, so with context, code and caches. Launches: the kernels of outerloop's recorded "
        "meta-step,\nwhich are its tasks, sums, update, hashes and log; a library's product counts as "
        "its kernels. fast, tf32:\n`runtime.numerics=fast`, also with `runtime.precision=tf32`. segment "
        "1: `inner.segment=1`.\n\n"
        + cpu.table(["workload", "tasks", "steps", "program", "meta-steps/s", "tasks/s", "TFLOP/s",
                     "GB/s", "times best peer", "arrays MiB", "nvidia-smi MiB", "launches"],
                    [case_line(case, results, ceilings) for case in cases]))


def exit_code(report):
    """1 where a check did not hold or was not made, or ours did not run; peers may fail."""
    checked = all(found.startswith("ok") for found in report["checks"].values())
    failed = [name for name, found in report["results"].items()
              if "error" in found and not was_skipped(found) and f", {OURS}" in name]
    failed += [name for name in (gpu_checks.BETWEEN,) if "error" in report["results"].get(name, {})]
    return 0 if checked and not failed else 1


def find_peers(options):
    """The Python that has most of them, and which."""
    found = []
    for python in (pathlib.Path(sys.executable), cpu.PEERS / "bin/python"):
        have = [name for name, modules in PEERS.items()
                if python.exists() and gpu_checks.has_modules(python, modules)]
        found.append((len(have), python, have))
    _, python, have = max(found, key=lambda entry: entry[0])
    return python, [] if options.no_peers else have


def about_run(options):
    version = gpu_checks.run_ours(options, ["--version"], 10).out.splitlines()
    commit = [line.split()[-1] for line in version if line.startswith("commit")]
    device, driver = gpu_checks.name_of_gpu() if options.device == "cuda" else ("the processor", "none")
    return {"date": datetime.date.today().isoformat(), "commit": (commit or ["unknown"])[0],
            "device": device, "driver": driver}


def print_trainings(options):
    """What of ours runs on the GPU, for tools/kernels; random images go to the folder. Fast numerics
    want cuBLAS, and where that is NVRTC is too: their kernels are made there."""
    colour = options.trainings / "random84.h5"
    options.environment = None
    made = "ok" if colour.exists() else random_images.write(options, colour, 60)
    if made != "ok":
        sys.exit(f"outerloop: no random images: {made}")
    for name in gpu_checks.TRAININGS:
        print(*gpu_checks.words_of_training(name))
    for case in CASES:
        if case.program == OURS:
            words = [str(word) for word in words_of_training(case, colour)]
            if "runtime.numerics=fast" not in words:
                print(*words)


def main():
    parser = argparse.ArgumentParser(prog="tools/bench/gpu.sh", description=__doc__)
    parser.add_argument("--outerloop", default=cpu.ROOT / "build/release/outerloop",
                        type=lambda text: pathlib.Path(text).resolve(), metavar="FILE")
    parser.add_argument("--minutes", type=float, default=9, help="of the whole")
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement")
    parser.add_argument("--out", type=pathlib.Path, default=None, metavar="FOLDER",
                        help="gets GPU.md and gpu.json; default: tools/bench, with --cpu none")
    parser.add_argument("--continue", dest="known", type=pathlib.Path, metavar="GPU.JSON",
                        help="of an earlier run of this commit on this GPU: what it has stays")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--cpu", action="store_true", help="tiny sizes on the processor")
    parser.add_argument("--trainings", type=pathlib.Path, metavar="FOLDER",
                        help="print what is trained on the GPU, and run nothing")
    parser.add_argument("--spent", type=float, default=0, help="seconds that are gone already")
    options = parser.parse_args()
    if not options.outerloop.exists():
        parser.error(f"expected the program in {options.outerloop}, which is not there")
    if options.trainings:
        return print_trainings(options)
    start, cases = time.monotonic(), TINY if options.cpu else CASES
    deadline = Deadline(60 * options.minutes - options.spent)
    options.device = "cpu" if options.cpu else "cuda"
    driver = "" if options.cpu else gpu_checks.run(["nvidia-smi"], 30).why
    if driver:
        parser.error(f"no GPU to time on ({driver}); --cpu tries this on the processor")
    options.python, options.peers = find_peers(options)
    options.environment = gpu_checks.environment_with_libraries(options.python)
    about = about_run(options)
    known = json.loads(options.known.read_text(encoding="utf-8")) if options.known else {}
    different = [key for key in ("commit", "device") if known and known["about"][key] != about[key]]
    if different:
        parser.error(f"{options.known} is of another {' and '.join(different)}")
    with tempfile.TemporaryDirectory() as folder:
        options.colour = pathlib.Path(folder, "random84.h5")
        checks = gpu_checks.check_all(options, pathlib.Path(folder), deadline, known.get("checks"))
        if not options.cpu:
            checks["random images of 84x84x3"] = random_images.write(options, options.colour,
                                                                    deadline.allows(60))
        ceilings = known.get("ceilings", {"error": "needs a GPU"})
        if not options.cpu and "error" in ceilings:
            ceilings = gpu_checks.json_of([options.python, HERE / "ceilings.py"], deadline.allows(60))
        results = measure(cases, options, deadline, known.get("results"))
        if gpu_checks.gpus() > 1 and not options.cpu:
            results[gpu_checks.BETWEEN] = gpu_checks.between_gpus(options, deadline.allows(60))
    versions = sorted({found["version"] for found in results.values() if "version" in found})
    report = {"about": about, "seconds": options.seconds, "peers": versions,
              "took": known.get("took", 0) + options.spent + time.monotonic() - start,
              "checks": checks, "ceilings": ceilings, "results": results}
    text = render(report, cases)
    print(text)
    out = options.out or (None if options.cpu else HERE)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "gpu.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        (out / "GPU.md").write_text(text, encoding="utf-8")
    return exit_code(report)


if __name__ == "__main__":
    sys.exit(main())
