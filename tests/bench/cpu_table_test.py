"""The kept table of speeds on CPUs."""

import json
import pathlib
import sys
import unittest

BENCH = pathlib.Path(__file__).resolve().parents[2] / "tools/bench"
sys.path.insert(0, str(BENCH))
import cpu  # noqa: E402


class Table(unittest.TestCase):
    def test_is_what_results_json_gives(self):
        kept = json.loads((BENCH / "results.json").read_text(encoding="utf-8"))
        self.assertEqual((BENCH / "RESULTS.md").read_text(encoding="utf-8"),
                         cpu.render(kept, cpu.CASES), "run tools/bench/cpu.sh")


if __name__ == "__main__":
    unittest.main()
