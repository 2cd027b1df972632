#!/usr/bin/env python3
"""Trains in one process for a long while and looks at what short tests cannot see: the memory of the
process and of the GPU stays as it was once the training was under way, its speed too, the stop writes a
checkpoint, and the processor computes the last iterations again with the same bits.
  tools/bench/soak.py [--minutes 10] [--outerloop FILE] [--config NAME] [--cpu]
Exit code 0: all held; 1: what did not, one line each; 2: no GPU, or no program."""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import cpu
import gpu_checks

STOPPED = 75
GROWTH_MIB = 8  # more than allocators take back and forth
SLOWER = 0.7  # of the first speed


def mib_of_process(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return None  # it has ended


def mib_of_gpu():
    done = gpu_checks.run(["nvidia-smi", "--id=0", "--query-gpu=memory.used",
                           "--format=csv,noheader,nounits"], 20)
    return None if done.why else float(done.out)


def growth(what, samples):
    """What is wrong with these MiB over time, or nothing. The first fifth is the start."""
    samples = [sample for sample in samples if sample is not None]
    later = samples[len(samples) // 5:]
    if len(later) < 2:
        return [f"{what} was sampled {len(samples)} times, too few to judge"]
    if max(later[len(later) // 2:]) <= later[0] + GROWTH_MIB:
        return []
    return [f"{what} grew from {later[0]:.0f} to {max(later):.0f} MiB"]


def slowing(speeds):
    """The same of tasks per second: what one in five exceeds, as other work on the machine slows
    some of a short soak, and a training that slows down most of a long one."""
    if len(speeds) < 4:
        return [f"{len(speeds)} speeds were logged, too few to judge"]
    quarter = len(speeds) // 4
    first, last = (sorted(part)[len(part) * 4 // 5] for part in (speeds[:quarter], speeds[-quarter:]))
    return [] if last >= SLOWER * first else [f"{first:.0f} tasks/s at first, {last:.0f} at last"]


def soak(options, run):
    words = [options.outerloop, "train", cpu.ROOT / f"configs/{options.config}.yaml", f"run_dir={run}",
             f"runtime.device={options.device}", "outer.iterations=1000000000", "checkpoint.every=1000",
             "outer.schedule=constant", "validation.every=0", "test.tasks=0", "log.hashes=true",
             f"--max-wall={int(60 * options.minutes)}s", "--quiet"]
    begun = time.monotonic()
    said = run.with_name("said")  # a pipe that nobody reads would stop who fills it
    with open(said, "w", encoding="utf-8") as file:
        process = subprocess.Popen([str(word) for word in words], stderr=file, env=options.environment)
    of_process, of_gpu = [], []
    while process.poll() is None:
        of_process.append(mib_of_process(process.pid))
        if options.device == "cuda":
            of_gpu.append(mib_of_gpu())
        time.sleep(min(5, 60 * options.minutes / 20))
        if time.monotonic() - begun > 60 * options.minutes + 120:
            process.kill()
            process.wait()
            return ["it did not stop within two minutes of its time"]
    if process.returncode != STOPPED:
        last = said.read_text(encoding="utf-8").splitlines()[-1:]
        return [f"exit code {process.returncode} in place of {STOPPED}: {' '.join(last) or 'no word'}"]
    wrong = growth("the process", of_process)
    if of_gpu:
        wrong += growth("the GPU's memory", of_gpu)
    with open(run / "metrics.jsonl", encoding="utf-8") as file:
        speeds = [entry["tasks_per_s"] for entry in map(json.loads, file) if "tasks_per_s" in entry]
    wrong += slowing(speeds)
    last = int(max((run / "ckpt").glob("ckpt-*.h5")).stem.split("-")[1])
    replayed = gpu_checks.run_ours(options, ["replay", run, "--iter", last, "--slot", 0], 300)
    if replayed.why:
        wrong.append(f"the processor does not find iteration {last} again: {replayed.why}")
    print(f"{last} iterations in {time.monotonic() - begun:.0f} s, "
          f"{max(filter(None, of_process), default=0):.0f} MiB")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--outerloop", default=cpu.ROOT / "build/release/outerloop",
                        type=lambda text: pathlib.Path(text).resolve(), metavar="FILE")
    parser.add_argument("--config", default="sinusoid_maml", metavar="NAME", help="a shipped one")
    parser.add_argument("--cpu", action="store_true", help="on the processor, to try this")
    options = parser.parse_args()
    if not options.outerloop.exists():
        parser.error(f"expected the program in {options.outerloop}, which is not there")
    options.device = "cpu" if options.cpu else "cuda"
    if not options.cpu and mib_of_gpu() is None:
        parser.error("there is no GPU here: nvidia-smi says nothing; --cpu tries this on the processor")
    options.environment = gpu_checks.environment_with_libraries(sys.executable)
    with tempfile.TemporaryDirectory() as folder:
        wrong = soak(options, pathlib.Path(folder, "run"))
    for line in wrong:
        print(f"soak: {line}", file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
