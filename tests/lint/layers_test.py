"""Each kind of offence in a small tree is found by tools/lint/layers.py, and a clean tree passes."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

LAYERS = Path(__file__).parents[2] / "tools/lint/layers.py"


def check(files):
    """The offences that layers.py prints for a tree of {path: text}."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for top in ("include/outerloop/base", "src/base", "tests/base"):
            (root / top).mkdir(parents=True)
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        done = subprocess.run(
            [sys.executable, LAYERS, root], capture_output=True, text=True, check=False)
        assert done.returncode == (1 if done.stdout else 0), done.stderr
        return done.stdout.splitlines()


class Layers(unittest.TestCase):
    def expect_offence(self, path, text, words, **others):
        offences = check({path: text, **others})
        self.assertEqual(len(offences), 1, offences)
        self.assertTrue(offences[0].startswith(path + ": "))
        self.assertIn(words, offences[0])

    def test_a_module_may_look_down(self):
        self.assertEqual(check({
            "include/outerloop/ops/a.h": '#include "outerloop/tensor/t.h"\n#include <vector>\n',
            "src/ops/a.cpp": '#include "ops/own.h"\n#include "outerloop/base/e.h"\n',
            "src/io/file.cpp": "#include <hdf5.h>\n",
            "src/exec/cpu/jit.cpp": "#include <xbyak/xbyak.h>\n",
            "tests/ops/a_test.cpp": '#include "ops/own.h"\n#include "outerloop/exec/x.h"\n',
            "src/ops/own.h": "",
            "src/ops/CMakeLists.txt": "ol_module(ops PUBLIC outerloop::ir)",
        }), [])

    def test_looking_up(self):
        self.expect_offence("src/ops/a.cpp", '#include "outerloop/exec/x.h"\n', "may not include")

    def test_linking_up(self):
        self.expect_offence(
            "src/ops/CMakeLists.txt", "ol_module(ops PUBLIC outerloop::exec)", "may not link")

    def test_the_private_header_of_another_module(self):
        self.expect_offence("src/ops/a.cpp", '#include "ir/inside.h"\n', "private to module ir")

    def test_the_private_header_of_another_module_in_a_test(self):
        self.expect_offence(
            "tests/ops/a_test.cpp", '#include "ir/inside.h"\n', "private to module ir",
            **{"src/ir/inside.h": ""})

    def test_a_private_header_in_a_public_one(self):
        self.expect_offence(
            "include/outerloop/ops/a.h", '#include "ops/own.h"\n', "may not include the private")

    def test_foreign_libraries_outside_their_places(self):
        for name in ("hdf5.h", "mpi.h", "yaml-cpp/yaml.h", "xbyak/xbyak.h", "cublas_v2.h"):
            self.expect_offence("src/train/a.cpp", f"#include <{name}>\n", "belongs to src/")
        self.expect_offence(
            "src/exec/run.cpp", "#include <xbyak/xbyak.h>\n", "belongs to src/exec/cpu")

    def test_foreign_libraries_in_public_headers(self):
        self.expect_offence("include/outerloop/io/a.h", "#include <hdf5.h>\n", "belongs to src/io")

    def test_an_unknown_module(self):
        offences = check({"src/extras/a.cpp": ""})
        self.assertEqual(len(offences), 1)
        self.assertIn("missing from the table", offences[0])


if __name__ == "__main__":
    unittest.main()
