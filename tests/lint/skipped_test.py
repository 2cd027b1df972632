#!/usr/bin/env python3
"""What tools/skipped.sh finds in a log of CTest."""

import subprocess
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "tools" / "skipped.sh"

LOG = """1/2 Testing: io_test
1/2 Test: io_test
Command: "/build/tests/io_test" "--gtest_brief=1"
Output:
----------------------------------------------------------
/source/tests/io/logs_test.cpp:96: Skipped
no Python with 'tensorboard'; to run this test: …

/source/tests/io/export_test.cpp:69: Skipped
no Python with 'numpy'; to run this test: …

[  SKIPPED ] 2 tests.
<end of output>
Test Passed.
2/2 Testing: base_test
2/2 Test: base_test
Output:
[  PASSED  ] 3 tests.
"""


class Skipped(unittest.TestCase):
    def found(self, text):
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "LastTest.log"
            log.write_text(text)
            run = subprocess.run([SCRIPT, log], capture_output=True, text=True, check=True)
            return run.stdout.splitlines()

    def test_each_has_program_place_and_reason(self):
        self.assertEqual(
            self.found(LOG),
            ["  io_test: logs_test.cpp:96: no Python with 'tensorboard'; to run this test: …",
             "  io_test: export_test.cpp:69: no Python with 'numpy'; to run this test: …"])

    def test_nothing_skipped_gives_no_line(self):
        self.assertEqual(self.found(LOG[LOG.index("2/2 Testing"):]), [])


if __name__ == "__main__":
    unittest.main()
