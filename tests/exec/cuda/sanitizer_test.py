#!/usr/bin/env python3
"""When sanitizer.sh runs a tool, when it skips, and when it fails."""

import pathlib
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).with_name("sanitizer.sh")
SKIPPED = 77


class Sanitizer(unittest.TestCase):
    def run_script(self, test_says, has_tool, required):
        """Of a test program that says so, with a compute-sanitizer or without."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "bin").mkdir()
            self.write(root / "program", f"echo '{test_says}'")
            if has_tool:
                self.write(root / "bin/compute-sanitizer", "echo ran $2 on ${@: -1}")
            environment = {"PATH": str(root), "CUDA_HOME": folder, "OUTERLOOP_REQUIRE_GPU": required}
            done = subprocess.run(["/bin/bash", SCRIPT, "memcheck", root / "program", "Probe",
                                   "Some*"],
                                  env=environment, capture_output=True, text=True, check=False)
            return done.returncode, done.stdout.strip()

    @staticmethod
    def write(file, line):
        file.write_text(f"#!/bin/bash\n{line}\n")
        file.chmod(0o755)

    def test_the_tool_runs_where_it_is(self):
        self.assertEqual(self.run_script("passed", True, "1"), (0, "ran memcheck on --gtest_filter=Some*"))

    def test_a_gpu_that_is_not_there_skips(self):
        self.assertEqual(self.run_script("Skipped: no GPU", True, "0"), (SKIPPED, "Skipped: no GPU"))

    def test_a_tool_that_is_not_there_fails_where_a_gpu_is_required(self):
        for required, code in (("0", SKIPPED), ("1", 1)):
            found, said = self.run_script("passed", False, required)
            self.assertEqual(found, code)
            self.assertIn("there is no compute-sanitizer, neither in PATH nor in ", said)


if __name__ == "__main__":
    unittest.main()
