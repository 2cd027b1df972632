"""What must hold before anything is timed on a GPU, and how commands are run with a limit: see gpu.py."""

import filecmp
import json
import os
import signal
import subprocess
import types

import cpu

TRAININGS = {"sinusoid": ("sinusoid_maml", 200), "Omniglot": ("omniglot_maml_finn_5w1s", 5)}
MODULES = ("import importlib.util, sys; "
           "sys.exit(any(importlib.util.find_spec(m) is None for m in sys.argv[1:]))")
NVRTC = ("import glob, os, site\n"
         "for root in site.getsitepackages():\n"
         "    for file in glob.glob(root + '/nvidia/*/lib/libnvrtc.so.*'):\n"
         "        print(os.path.dirname(file))")


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


def environment_with_nvrtc(python):
    """For ours: where the toolkit is not installed, the compiler that came with the peers does."""
    folders = run([python, "-c", NVRTC], 20).out.split()
    known = os.environ.get("LD_LIBRARY_PATH")
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(([known] if known else []) + folders)}


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


def check_all(options, folder, deadline):
    """{what: "ok…" or why not}"""
    found = {}
    done = run_ours(options, ["doctor", folder], deadline.allows(60))
    found["outerloop doctor"] = done.why or "ok"
    sides = "one thread and two" if options.cpu else "processor and GPU"
    for name in TRAININGS:
        found[f"checkpoints of {name}, {sides}"] = same_checkpoints(options, folder, name, deadline)
    return found
