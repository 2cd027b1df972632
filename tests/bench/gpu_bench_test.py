"""The bench for GPUs itself: deadline, limits, bars and table by hand, and a tiny run on the processor."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import types
import unittest
import unittest.mock

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools/bench"))

import cpu  # noqa: E402
import gpu  # noqa: E402
import gpu_checks  # noqa: E402
import random_images  # noqa: E402

OUTERLOOP = pathlib.Path(os.environ["OUTERLOOP"]).resolve()
ASKED = ("sinusoid", 25, 5)


def results(**tasks_per_s):
    """Of the asked sinusoid: (tasks per second, MiB) by program, or why not."""
    found = {}
    for program, entry in tasks_per_s.items():
        name = gpu.Case(*ASKED, program).name
        found[name] = {"error": entry} if isinstance(entry, str) else {
            "tasks_per_s": entry[0], "meta_steps_per_s": entry[0] / 25, "device_mib": entry[1],
            "flops_per_task": 1e6, "sampled_mib": 500,
            **({"launches_per_step": 7, "gbytes_per_s": 1500} if program == gpu.OURS else {})}
    return found


def bars(**tasks_per_s):
    """(measured, reached) of the two bars on the sinusoid."""
    lines = [gpu.bar_line(bar, results(**tasks_per_s)) for bar in gpu.BARS]
    return [(line[1], line[3]) for line in (lines[0], lines[2])]


class Time(unittest.TestCase):
    def test_a_case_gets_its_limit_what_is_left_or_nothing(self):
        for now, limit, allowed in ((0, 60, 60), (50, 60, 50 - gpu.IDLE), (93, 60, 0), (200, 60, 0)):
            clock = iter([0, now])
            self.assertEqual(gpu.Deadline(100, lambda: next(clock)).allows(limit), allowed, now)

    def test_past_the_deadline_cases_are_skipped_and_say_so(self):
        options = types.SimpleNamespace(peers=["jax"], device="cpu")
        cases = [gpu.Case(*ASKED), gpu.Case(*ASKED, "jax"), gpu.Case(*ASKED, "torch_func")]
        found = gpu.measure(cases, options, gpu.Deadline(0))
        self.assertEqual([found[case.name]["error"] for case in cases],
                         ["skipped: the time was up"] * 2 + ["not installed"])

    def test_a_command_that_takes_too_long_is_ended_with_its_children(self):
        with tempfile.TemporaryDirectory() as folder:
            left = pathlib.Path(folder, "left")
            begun = time.monotonic()
            done = gpu_checks.run(["sh", "-c", f"(sleep 2; touch {left}) & sleep 60"], 0.5)
            self.assertEqual(done.why, "stopped after 0 s")
            self.assertLess(time.monotonic() - begun, 30)
            time.sleep(2.5)
            self.assertFalse(left.exists())

    def test_a_failure_gives_its_last_line_without_table_signs(self):
        done = gpu_checks.run(["sh", "-c", "echo first >&2; echo 'a|b' >&2; exit 3"], 20)
        self.assertEqual(done.why, "a/b")
        self.assertEqual(gpu_checks.run(["/no/such"], 20).why, "/no/such: No such file or directory")


class Memory(unittest.TestCase):
    def test_what_a_case_adds_at_most_is_counted(self):
        with tempfile.TemporaryDirectory() as folder:
            fake = pathlib.Path(folder, "nvidia-smi")
            fake.write_text("#!/bin/sh\nfor used in 300 300 1500 900; do echo $used; done; sleep 60\n")
            fake.chmod(0o755)
            path = {"PATH": f"{folder}:{os.environ['PATH']}"}
            with unittest.mock.patch.dict(os.environ, path):
                with gpu.sampled_memory(True) as grown:
                    time.sleep(1)
            self.assertEqual(grown, [1200])

    def test_the_processor_has_none(self):
        with gpu.sampled_memory(False) as grown:
            pass
        self.assertEqual(grown, [])


class Table(unittest.TestCase):
    def test_bars_compare_with_the_best_peer_that_ran(self):
        for programs, lines in (
                ({"outerloop": (600, 1), "jax": (100, 8), "torch_func": (50, 4)},
                 [("6", "yes"), ("0.25", "yes")]),
                ({"outerloop": (600, 1), "jax": (100, 8), "torch_compile": (200, 2)},
                 [("3", "no"), ("0.5", "no")]),
                ({"outerloop": (600, 1), "jax": "not installed"}, [("", "not measured")] * 2),
                ({"outerloop": "no GPU", "jax": (100, 8)}, [("", "not measured")] * 2)):
            self.assertEqual(bars(**programs), lines, programs)

    def test_a_line_counts_the_same_operations_for_peers(self):
        found = results(outerloop=(6e6, 1.5), jax=(2e6, 8), torch_func="stopped after 60 s")
        ceilings = {"fma_tflops": 50, "copy_gbytes_per_s": 3000}
        lines = [gpu.case_line(gpu.Case(*ASKED, program), found, ceilings)
                 for program in ("outerloop", "jax", "torch_func")]
        self.assertEqual(lines[0][4:], ["240,000.0", "6,000,000", "6.000 (12 %)", "1,500 (50 %)", "3.00",
                                        "1.5", "500.0", "7"])
        self.assertEqual(lines[1][6:9], ["2.000 (4 %)", "", ""])
        self.assertEqual(lines[2][4:6], ["stopped after 60 s", ""])
        self.assertEqual({len(line) for line in lines}, {12})

    def test_another_way_of_ours_is_compared_with_the_same_peers(self):
        found = results(outerloop=(6e6, 1.5), jax=(2e6, 8))
        case = gpu.Case(*ASKED, gpu.OURS, "segment 1")
        found[case.name] = {"tasks_per_s": 4e6, "meta_steps_per_s": 1, "device_mib": 1}
        self.assertEqual(gpu.case_line(case, found, {})[3:9],
                         ["outerloop, segment 1", "1.0", "4,000,000", "4.000", "", "2.00"])
        bar = next(bar for bar in gpu.BARS if bar[0].startswith("sinusoid") and "segment 1" in bar[0])
        self.assertEqual(gpu.bar_line(bar, found)[1:], ["0.125", "≤ 0.25", "yes"])

    def test_what_bars_ask_about_comes_first_beside_its_peers(self):
        names = [case.name for case in gpu.CASES]
        self.assertEqual(len(set(names)), len(names))
        asked = [name for work in gpu.ASKED for program in (gpu.OURS, *gpu.PEERS)
                 for name in [gpu.Case(*work, program).name]]
        first = [name for name in names if "segment" not in name][:len(asked)]
        self.assertEqual(first, asked)
        for work in gpu.OF_MEMORY:
            place = names.index(gpu.Case(*work).name)
            self.assertEqual(names[place + 1], gpu.Case(*work, gpu.OURS, "segment 1").name)

    def test_sums_between_gpus_have_a_bar(self):
        found = {gpu_checks.BETWEEN: {"fraction_of_bus": {"ordered sum": 0.9, "fast sum": 0.8}}}
        for given, verdicts in ((found, ["yes", "no"]), ({}, ["not measured"] * 2),
                                ({gpu_checks.BETWEEN: {"error": "no NCCL"}}, ["not measured"] * 2)):
            self.assertEqual([gpu.bar_line(bar, given)[3] for bar in gpu.BARS if "links" in bar[0]],
                             verdicts)


class ExitCode(unittest.TestCase):
    def test_tells_checks_and_ours_alone(self):
        ran, skipped, failed = {"tasks_per_s": 1}, {"error": gpu.SKIPPED}, {"error": "no memory"}
        ours, peer = gpu.Case(*ASKED).name, gpu.Case(*ASKED, "jax").name
        for checks, found, code in (
                ({"a": "ok", "b": "ok: the same bytes"}, {ours: ran, peer: failed}, 0),
                ({"a": "ok"}, {ours: skipped}, 0),
                ({"a": "ok"}, {ours: failed, peer: ran}, 1),
                ({"a": "ok"}, {gpu.Case(*ASKED, gpu.OURS, "fast").name: failed}, 1),
                ({"a": "ok"}, {ours: ran, gpu_checks.BETWEEN: failed}, 1),
                ({"a": gpu.SKIPPED}, {ours: ran}, 1),
                ({"a": "the checkpoints differ"}, {ours: ran}, 1)):
            self.assertEqual(gpu.exit_code({"checks": checks, "results": found}), code, (checks, found))

    def test_of_bad_usage_is_2(self):
        with tempfile.TemporaryDirectory() as folder:
            other = pathlib.Path(folder, "gpu.json")
            other.write_text(json.dumps({"about": {"commit": "none", "device": "the processor"}}))
            for words in (["--no-such"], ["--outerloop", "/no/such"], ["--minutes", "many"],
                          ["--cpu", "--continue", other]):
                done = subprocess.run([ROOT / "tools/bench/gpu.sh", "--outerloop", OUTERLOOP, *words],
                                      capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 2, (words, done.stderr))

    @unittest.skipUnless(gpu_checks.gpus() == 0, "there is a GPU here")
    def test_without_a_gpu_is_2(self):
        done = subprocess.run([ROOT / "tools/bench/gpu.sh", "--outerloop", OUTERLOOP],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("no GPU to time on", done.stderr)


class Runs(unittest.TestCase):
    def test_configs_of_all_cases_are_taken(self):
        with tempfile.TemporaryDirectory() as folder:
            options = types.SimpleNamespace(outerloop=OUTERLOOP, environment=None, device="cpu",
                                            seconds=0.01, colour=pathlib.Path(folder, "images.h5"))
            self.assertEqual(random_images.write(options, options.colour, 60), "ok")
            for workload in gpu.WORKLOADS:
                result = gpu.run_case(gpu.Case(workload, 1, 1), options, 120)
                self.assertGreater(result.get("tasks_per_s", 0), 0, (workload, result))

    def test_a_tiny_run_on_the_processor_writes_both_files(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [ROOT / "tools/bench/gpu.sh", "--cpu", "--no-peers", "--seconds", "0.02",
                 "--outerloop", OUTERLOOP, "--out", folder], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
            report = json.loads(pathlib.Path(folder, "gpu.json").read_text())
            self.assertEqual(set(report["results"]), {case.name for case in gpu.TINY})
            self.assertIn("ok: the same bytes", report["checks"].values())
            self.assertRegex(report["checks"]["tools/check_reference"], r"^ok: \d+ files")
            self.assertEqual(pathlib.Path(folder, "GPU.md").read_text(),
                             gpu.render(report, gpu.TINY))
            self.assertIn(cpu.OURS, done.stdout)
            # Nothing is left to do, and the time would not allow it.
            again = subprocess.run(
                [ROOT / "tools/bench/gpu.sh", "--cpu", "--no-peers", "--minutes", "0.01", "--outerloop",
                 OUTERLOOP, "--continue", pathlib.Path(folder, "gpu.json")],
                capture_output=True, text=True, check=False)
            self.assertEqual(again.returncode, 0, again.stderr + again.stdout)
            of_cases = [text.splitlines()[-len(gpu.TINY):] for text in (again.stdout, done.stdout)]
            self.assertEqual(*of_cases)

    def test_a_reference_that_is_missed_is_a_failure(self):
        with tempfile.TemporaryDirectory() as folder:
            fake = pathlib.Path(folder, "check_reference")
            fake.write_text("#!/bin/sh\ncase $* in *conv4*f32*) echo too far; exit 1;; esac\n")
            fake.chmod(0o755)
            options = types.SimpleNamespace(outerloop=fake.with_name("outerloop"), environment=None,
                                            device="cpu")
            self.assertEqual(gpu_checks.same_as_references(options, gpu.Deadline(60)),
                             "maml_conv4.h5 in f32: too far")
            self.assertRegex(gpu_checks.same_as_references(options, gpu.Deadline(0)),
                             r"in f64: skipped: the time was up and \d+ more$")

    def test_checkpoints_that_differ_are_a_failure(self):
        with tempfile.TemporaryDirectory() as folder:
            fake = pathlib.Path(folder, "fake")
            fake.write_text("#!/bin/sh\nfor word; do case $word in run_dir=*) dir=${word#run_dir=};; "
                            "runtime.threads=*) threads=$word;; outer.iterations=*) "
                            "number=$(printf %09d ${word#outer.iterations=});; esac; done\n"
                            "mkdir -p $dir/ckpt && echo $threads >$dir/ckpt/ckpt-$number.h5\n")
            fake.chmod(0o755)
            options = types.SimpleNamespace(outerloop=fake, environment=None, device="cpu", cpu=True)
            self.assertEqual(gpu_checks.same_checkpoints(options, pathlib.Path(folder), "sinusoid",
                                                         gpu.Deadline(60)), "the checkpoints differ")


unittest.main()
