"""The soak: what it calls growing and slowing, and a short one on the processor."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools/bench"))

import soak  # noqa: E402

OUTERLOOP = pathlib.Path(os.environ["OUTERLOOP"]).resolve()


class Judgement(unittest.TestCase):
    def test_memory_that_grows_after_the_start_is_named(self):
        start = [10, 50, 100, 200]
        steady = start + [201, 203] * 10
        self.assertEqual(soak.growth("it", steady + [None]), [])
        self.assertEqual(soak.growth("it", start + list(range(200, 240, 2))),
                         ["it grew from 200 to 238 MiB"])
        self.assertEqual(soak.growth("it", [None]), ["it was sampled 0 times, too few to judge"])

    def test_a_training_that_slows_down_is_named(self):
        self.assertEqual(soak.slowing([100] * 8 + [90] * 4), [])
        self.assertEqual(soak.slowing([100] * 12 + [60, 50, 60, 100]), [])
        self.assertEqual(soak.slowing([100] * 30 + [60] * 9 + [100]),
                         ["100 tasks/s at first, 60 at last"])
        self.assertEqual(soak.slowing([100] * 8 + [60] * 4), ["100 tasks/s at first, 60 at last"])
        self.assertEqual(soak.slowing([100]), ["1 speeds were logged, too few to judge"])


class OnTheProcessor(unittest.TestCase):
    def run_soak(self, *words):
        return subprocess.run([sys.executable, ROOT / "tools/bench/soak.py", "--outerloop", OUTERLOOP,
                               *words], capture_output=True, text=True, check=False)

    def test_a_short_one_holds(self):
        done = self.run_soak("--cpu", "--minutes", "0.1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("iterations in", done.stdout)

    # More than a pipe holds.
    def test_a_training_that_says_much_is_not_stopped_by_it(self):
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder, "outerloop")
            program.write_text("#!/bin/sh\nyes warning | head -c 200000 >&2\n")
            program.chmod(0o755)
            done = self.run_soak("--cpu", "--minutes", "0.01", "--outerloop", program)
        self.assertEqual(done.stderr, "soak: exit code 0 in place of 75: warning\n")

    def test_a_training_that_does_not_start_is_told(self):
        done = self.run_soak("--cpu", "--config", "no_such")
        self.assertEqual(done.returncode, 1)
        self.assertIn("soak: exit code 2 in place of 75", done.stderr)
        self.assertIn("no_such", done.stderr)

    @unittest.skipUnless(soak.mib_of_gpu() is None, "there is a GPU here")
    def test_without_a_gpu_it_says_so(self):
        done = self.run_soak()
        self.assertEqual(done.returncode, 2)
        self.assertIn("there is no GPU here", done.stderr)


if __name__ == "__main__":
    unittest.main()
