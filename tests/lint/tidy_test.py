"""tools/lint/tidy.py finds a complaint in a source and in what it includes, tells each once, and
takes what g++ alone understands."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TIDY = Path(__file__).parents[2] / "tools/lint/tidy.py"
sys.path.insert(0, str(TIDY.parent))
import tidy  # noqa: E402

GOOD = """#pragma once
#include <string>
inline bool none(const std::string& a) { return a.empty(); }
"""
BAD = GOOD.replace("a.empty()", "a.size() == 0")


class Tidy(unittest.TestCase):
    def checked(self, header, source=""):
        with tempfile.TemporaryDirectory() as folder:
            build = Path(folder).resolve()
            (build / "src").mkdir()
            (build / "src/part.h").write_text(header)
            commands = []
            for name in ("a", "b"):
                file = build / f"src/{name}.cpp"
                file.write_text(f'#include "part.h"\n{source}')
                commands.append({"directory": str(build), "file": str(file), "command":
                                 f"g++ -std=c++20 -Wno-restrict -Winvalid-pch -include pch.hxx "
                                 f"-c {file}"})
            (build / "compile_commands.json").write_text(json.dumps(commands))
            return subprocess.run([sys.executable, TIDY, build], capture_output=True, text=True)

    def test_what_is_clean_passes(self):
        done = self.checked(GOOD)
        self.assertEqual((done.returncode, done.stdout), 
                         (0, "units: 2, complaints: 0, errors of clang alone: 0\n"), done.stderr)

    def test_a_header_is_complained_of_once(self):
        done = self.checked(BAD)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout.count("[readability-container-size-empty"), 1, done.stdout)
        self.assertIn("units: 2, complaints: 1, ", done.stdout)

    def test_each_source_is_complained_of(self):
        done = self.checked(GOOD, "bool full(const std::string& a) { return a.size() != 0; }\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("units: 2, complaints: 2, ", done.stdout)

    def test_what_clang_does_not_compile_is_counted(self):
        done = self.checked(GOOD + "inline int one() { return two(); }\n")
        self.assertEqual((done.returncode, done.stdout),
                         (0, "units: 2, complaints: 0, errors of clang alone: 1\n"), done.stderr)

    def test_a_header_that_is_not_found_is_a_complaint(self):
        done = self.checked(GOOD, '#include "absent.h"\n')
        self.assertEqual(done.returncode, 1)
        self.assertIn("units: 2, complaints: 2, ", done.stdout)


if __name__ == "__main__":
    tidy.clang_tidy()  # or skipped
    unittest.main()
