#!/usr/bin/env python3
"""The predictions of tools/scale_model, by hand."""

import argparse
import importlib.machinery
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tools" / "scale_model"


def load():
    loader = importlib.machinery.SourceFileLoader("scale_model", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("scale_model", loader))
    loader.exec_module(module)
    return module


MODEL = load()


def problem(**changes):
    p = argparse.Namespace(groups=2, threads=1, every=10, parameters=1000, task=1.0, update=0.5,
                           alpha=0.01, beta=1e3, copy=1e3, checkpoint_bytes=12000)
    p.__dict__.update(changes)
    return p


class Predictions(unittest.TestCase):
    def test_roots_of_slots(self):
        for first, end, count in ((0, 8, 1), (0, 7, 3), (8, 16, 1), (3, 8, 2), (5, 5, 0), (1, 7, 4)):
            self.assertEqual(MODEL.roots(first, end), count, (first, end))
        self.assertEqual(MODEL.most_roots(32, 4), 1)
        self.assertEqual(MODEL.most_roots(10, 2), 3)

    def test_parts_of_a_step(self):
        for ranks, slots, changes, parts in (
                (1, 8, {}, {"tasks": 8, "latency": 0, "volume": 0, "snapshot": 1.2}),
                (4, 8, {}, {"tasks": 2, "latency": 0.14, "volume": 6}),
                (4, 10, {}, {"tasks": 3, "volume": 9}),
                (8, 4, {}, {"tasks": 1, "update": 0.5}),
                (2, 8, {"threads": 3}, {"tasks": 2}),
                (2, 8, {"every": 0}, {"snapshot": 0})):
            got = MODEL.predict(problem(**changes), ranks, slots)
            for name, seconds in parts.items():
                self.assertAlmostEqual(got[name], seconds, msg=(ranks, slots, changes, name))

    def test_more_ranks_than_cores_take_turns(self):
        self.assertEqual(MODEL.predict(problem(), 4, 8, host_cores=2)["tasks"], 4)
        self.assertEqual(MODEL.predict(problem(), 1, 8, host_cores=2)["tasks"], 8)

    def test_the_table_says_where_efficiency_falls_and_why(self):
        def table(*words):
            done = subprocess.run(
                [sys.executable, SCRIPT, ROOT / "configs/sinusoid_maml.yaml", "--task-us", "100",
                 "--slots", "16", *words], capture_output=True, text=True, check=True)
            return [line for line in done.stdout.splitlines() if "90 %" in line]
        self.assertEqual(table("--alpha-us", "0", "--gbytes-per-s", "1e9", "--every", "0"),
                         ["below 90 % from 32 ranks on: idle threads",
                          "90 % or more up to 4096 ranks"])
        self.assertEqual(table("--alpha-us", "50", "--gbytes-per-s", "1e9", "--every", "0"),
                         ["below 90 % from 2 ranks on: latency"] * 2)

    def test_options_that_stand_beside_another_say_so(self):
        for given, beside in (("--task-us", "--slots"), ("--alpha-us", "--gbytes-per-s")):
            done = subprocess.run([sys.executable, SCRIPT, ROOT / "configs/sinusoid_maml.yaml", given,
                                   "100"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 2)
            self.assertIn(f"{given} wants {beside} beside it", done.stderr)

    def test_the_disk_measured_is_that_of_dir_or_of_the_current_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "tools/scale_model"  # no build beside it
            script.parent.mkdir()
            shutil.copy(SCRIPT, script)
            words = [sys.executable, script, ROOT / "configs/sinusoid_maml.yaml", "--task-us", "100",
                     "--slots", "16", "--alpha-us", "1", "--gbytes-per-s", "1"]
            for more, cwd, code in (([], folder, 0), (["--dir", folder], ROOT, 0),
                                    (["--dir", f"{folder}/none"], folder, 2)):
                done = subprocess.run([*words, *more], cwd=cwd, capture_output=True, text=True)
                self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn("--dir wants a folder to write to", done.stderr)

    def test_predictions_stand_beside_trainings_on_this_machine(self):
        done = subprocess.run(
            [sys.executable, SCRIPT, ROOT / "configs/sinusoid_maml.yaml", "outer.meta_batch=8",
             "--rounds", "1", "--seconds", "0.05", "--alpha-us", "2", "--gbytes-per-s", "10"],
            capture_output=True, text=True, check=True)
        rows = re.findall(r"^ +(\d+) +([\d.]+) +([\d.]+) +[\d.]+ of it$", done.stdout, re.MULTILINE)
        self.assertEqual([int(ranks) for ranks, _, _ in rows], [1, 2, 4])
        for _, predicted, measured in rows:
            self.assertGreater(float(predicted), 0)
            self.assertGreater(float(measured), 0)


unittest.main()
