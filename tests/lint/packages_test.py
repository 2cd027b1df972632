"""What tools/packages.sh counts as missing on a machine without a compiler."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

PACKAGES = Path(__file__).parents[2] / "tools/packages.sh"


class Packages(unittest.TestCase):
    def test_headers_are_found_without_a_compiler(self):
        for variable, entry in (("CPATH", "include"), ("CMAKE_PREFIX_PATH", ""),
                                ("CONDA_PREFIX", "")):
            with self.subTest(variable=variable), tempfile.TemporaryDirectory() as folder:
                commands = Path(folder) / "bin"
                commands.mkdir()
                (commands / "bash").symlink_to(shutil.which("bash"))
                header = Path(folder) / "include/CLI/CLI.hpp"
                header.parent.mkdir(parents=True)
                header.touch()
                # No apt-get on this path either: the script says what is missing and ends.
                run = subprocess.run(
                    [commands / "bash", PACKAGES], capture_output=True, text=True, check=False,
                    env={**os.environ, "PATH": str(commands),
                         variable: f"/no/such:{Path(folder) / entry}"})
                self.assertEqual(run.returncode, 2, run.stderr)
                self.assertIn(" g++ ", run.stderr)
                self.assertNotIn("libcli11-dev", run.stderr)


if __name__ == "__main__":
    unittest.main()
