"""tools/lint/tidy.py finds a complaint in a source and in what it includes, tells each once, and
takes what g++ alone understands."""

import json
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TIDY = Path(__file__).parents[2] / "tools/lint/tidy.py"
GOOD = "#pragma once\n#include <string>\ninline bool none(const std::string& a) { return a.empty(); }\n"
BAD = GOOD.replace("a.empty()", "a.size() == 0")


def has_clang_tidy():
    return any(shutil.which(name) and "version 14." in subprocess.run(
        [name, "--version"], capture_output=True, text=True).stdout
        for name in ("clang-tidy-14", "clang-tidy"))


@unittest.skipUnless(has_clang_tidy(), "no clang-tidy 14")
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
        self.assertEqual((done.returncode, done.stdout), (0, "2 units, 0 complaints\n"), done.stderr)

    def test_a_header_is_complained_of_once(self):
        done = self.checked(BAD)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout.count("[readability-container-size-empty"), 1, done.stdout)
        self.assertIn("2 units, 1 complaint\n", done.stdout)

    def test_each_source_is_complained_of(self):
        done = self.checked(GOOD, "bool full(const std::string& a) { return a.size() != 0; }\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("2 units, 2 complaints", done.stdout)


if __name__ == "__main__":
    unittest.main()
