"""What must hold before anything is timed on a GPU, and how commands are run with a limit: see gpu.py."""

import concurrent.futures
import filecmp
import functools
import itertools
import json
import os
import signal
import subprocess
import types

import cpu

TRAININGS = {"sinusoid": ("sinusoid_maml", 200), "Omniglot": ("omniglot_maml_finn_5w1s", 5)}
MODULES = ("import importlib.util, sys; "
           "sys.exit(any(importlib.util.find_spec(m) is None for m in sys.argv[1:]))")
LIBRARIES = ("import glob, os, site\n"
             "for root in site.getsitepackages():\n"
             "    for name in ('nvrtc', 'cublas', 'nccl'):\n"
             "        for file in glob.glob(root + f'/nvidia/*/lib/lib{name}.so.*'):\n"
             "            print(os.path.dirname(file))")
BETWEEN = "between GPUs"


def run(words, seconds, environment=None):
    """.out, and .why it did not do its work, or "". A command that takes longer is ended, with all that
    it started."""
    if seconds <= 0:
        return types.SimpleNamespace(out="", why="skipped: the time was up")
    try:
        process = subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, start_new_session=True,
                                   env=environment)
    except OSError as error:
        return types.SimpleNamespace(out="", why=f"{words[0]}: {error.strerror}")
    try:
        out, error = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return types.SimpleNamespace(out="", why=f"stopped after {seconds:.0f} s")
    if process.returncode == 0:
        return types.SimpleNamespace(out=out, why="")
    lines = (error.strip() or out.strip()).splitlines()
    why = lines[-1][:120].replace("|", "/") if lines else f"exit code {process.returncode}"
    return types.SimpleNamespace(out=out, why=why)


def run_ours(options, words, seconds):
    return run([options.outerloop, *words], seconds, options.environment)


def json_of(words, seconds):
    done = run(words, seconds)
    return {"error": done.why} if done.why else json.loads(done.out)


def has_modules(python, modules):
    return run([python, "-c", MODULES, *modules], 20).why == ""


def environment_with_libraries(python):
    """For ours: where the toolkit is not installed, the compiler and the libraries that came with the
    peers do."""
    folders = dict.fromkeys(run([python, "-c", LIBRARIES], 20).out.split())
    known = os.environ.get("LD_LIBRARY_PATH")
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(([known] if known else []) + list(folders))}


def gpus():
    """How many there are."""
    done = run(["nvidia-smi", "--list-gpus"], 20)
    return 0 if done.why else len(done.out.splitlines())


def between_gpus(options, seconds):
    """The speed of sums between all of them, or {"error": why not}."""
    done = run_ours(options, ["bench", "comm", "--device", "cuda", "--ranks", gpus(), "--json"], seconds)
    return {"error": done.why} if done.why else json.loads(done.out)


def name_of_gpu():
    done = run(["nvidia-smi", "--id=0", "--query-gpu=name,driver_version",
                "--format=csv,noheader"], 20)
    return done.out.strip().split(", ") if not done.why else ("unknown", "unknown")


def words_of_training(name):
    """The config and words of the trainings that are compared, on either device."""
    config, iterations = TRAININGS[name]
    return [f"configs/{config}.yaml", f"outer.iterations={iterations}", "outer.meta_batch=4",
            f"checkpoint.every={iterations}", "validation.every=0", "test.tasks=0",
            "report.write=false"]


def same_checkpoints(options, folder, name, deadline):
    """A training by the processor, and again by what is measured: the same file, byte for byte."""
    config, *common = words_of_training(name)
    runs = {"first": ["runtime.device=cpu", "runtime.threads=1"],
            "second": [f"runtime.device={options.device}", "runtime.threads=2"]}
    for place, words in runs.items():
        done = run_ours(options, [
            "train", cpu.ROOT / config, f"run_dir={folder / name / place}", "--quiet", *common, *words],
            deadline.allows(60))
        if done.why:
            return done.why
    files = [folder / name / place / f"ckpt/ckpt-{TRAININGS[name][1]:09}.h5" for place in runs]
    return "ok: the same bytes" if filecmp.cmp(*files, shallow=False) else "the checkpoints differ"


def reference_files():
    """Those of programs, which a device can run."""
    files = [*(cpu.ROOT / "tests/reference").rglob("*.h5"), *(cpu.ROOT / "tests/reference").rglob("*.json")]
    return sorted(file for file in files
                  if not file.name.startswith(("explain", "importance", "metrics")))


def same_as_references(options, deadline):
    """tools/check_reference's program, beside ours, on every file and in both types. On all cores: most
    of the time goes into making kernels."""
    program = options.outerloop.with_name("check_reference")
    files = reference_files()

    def failure(job):
        file, dtype = job
        why = run([program, file, "--device", options.device, "--dtype", dtype],
                  deadline.allows(120), options.environment).why
        return why and f"{file.name} in {dtype}: {why}"

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        failures = [why for why in pool.map(failure, itertools.product(files, ("f64", "f32"))) if why]
    if failures:
        return failures[0] + (f" and {len(failures) - 1} more" if failures[1:] else "")
    return f"ok: {len(files)} files, f64 and f32" if files else "no files are here"


def check_all(options, folder, deadline, known=None):
    """{what: "ok…" or why not}; what is known to hold is not made again."""
    sides = "one thread and two" if options.cpu else "processor and GPU"

    def doctor():
        return run_ours(options, ["doctor", folder], deadline.allows(60)).why or "ok"

    checks = {"outerloop doctor": doctor}
    for name in TRAININGS:
        checks[f"checkpoints of {name}, {sides}"] = functools.partial(
            same_checkpoints, options, folder, name, deadline)
    checks["tools/check_reference"] = functools.partial(same_as_references, options, deadline)
    held = {what: found for what, found in (known or {}).items() if found.startswith("ok")}
    return {what: held.get(what) or check() for what, check in checks.items()}
