#!/usr/bin/env python3
"""check_reference as its user calls it: check_reference_test.py PROGRAM FILE.h5"""

import json
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import h5py

PROGRAM, FILE = sys.argv[1:3]


def check(*words):
    return subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, check=False)


def changed(folder, change, name=Path(FILE).name):
    """A copy of the file, or of one beside it, after `change` was called with it."""
    copy = Path(folder) / name
    shutil.copy(Path(FILE).with_name(name), copy)
    with h5py.File(copy, "r+") as file:
        change(file)
    return copy


def spoil(file, path, number):
    """Makes the first number of a stored array another."""
    array = file[path]
    array[(0,) * array.ndim] = number


def spoiled(folder, number):
    return changed(folder, lambda file: spoil(file, "relu/anil/K3/grad/W1", number))


def replace(file, path, array):
    del file[path]
    file[path] = array


class Answer(unittest.TestCase):
    def test_names_what_no_rule_of_the_layout_is_for(self):
        with tempfile.TemporaryDirectory() as folder:
            def add(file):
                file["relu/anil/K3/another"] = 1.0
                file["notes/another"] = 1.0
            copy = changed(folder, add)
            done = check(copy, "--json")
            result = json.loads(done.stdout)
            self.assertEqual((done.returncode, result["passes"]), (1, False))
            self.assertTrue(result["worst"]["passes"])
            self.assertLess({"relu/anil/K3/another", "notes/another"}, set(result["not_read"]))
            self.assertEqual(result["unchecked"], ["relu/anil/K3/another"])
            done = check(copy)
            self.assertEqual(done.returncode, 1)
            told = [line for line in done.stdout.splitlines() if "not read" in line]
            self.assertEqual(len(told), 1)
            self.assertIn("relu/anil/K3/another", told[0])
            self.assertIn("FAIL relu/anil/K3/another ", done.stdout)


class ExitCode(unittest.TestCase):
    def test_is_0_where_all_are_within_their_tolerance(self):
        done = check(FILE, "--json")
        self.assertEqual((done.returncode, json.loads(done.stdout)["passes"]), (0, True))

    def test_is_1_where_a_stored_number_is_another(self):
        for number in (1e3, float("nan")):
            with self.subTest(number=number), tempfile.TemporaryDirectory() as folder:
                done = check(spoiled(folder, number), "--json")
                result = json.loads(done.stdout)
                self.assertEqual((done.returncode, result["passes"]), (1, False))
                self.assertFalse(result["worst"]["passes"])
                self.assertEqual(result["worst"]["error"] == "inf", number != number)
                text = check(spoiled(folder, number))
                self.assertEqual(text.returncode, 1)
                self.assertIn("FAIL", text.stdout)

    def test_is_1_where_a_quantity_has_another_name(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = changed(folder, lambda file: file.move("relu/exact/K3/grad",
                                                          "relu/exact/K3/gradient"))
            done = check(copy, "--json")
            result = json.loads(done.stdout)
            self.assertEqual((done.returncode, result["passes"]), (1, False))
            self.assertIn("relu/exact/K3/gradient/W1", result["unchecked"])

    def test_does_not_hang_on_the_loss_of_a_group(self):
        loss, gradient = (f"conv4_stride2_joint/{name}" for name in ("loss", "grad/conv_w1"))

        def without_loss(file):
            del file[loss]

        def spoiled_too(file):
            without_loss(file)
            spoil(file, gradient, 1e3)

        for name in ("protonet.h5", "r2d2.h5"):
            for change, code in ((without_loss, 0), (spoiled_too, 1)):
                with self.subTest(name=name, code=code), tempfile.TemporaryDirectory() as folder:
                    done = check(changed(folder, change, name), "--json")
                    result = json.loads(done.stdout)
                    checked = {one["name"]: one["passes"] for one in result["quantities"]}
                    self.assertEqual((done.returncode, checked[gradient]), (code, code == 0))

    def test_is_2_for_another_shape(self):
        cases = {
            "data/yq": lambda array: array[:-1],
            "data/ys": lambda array: array[:, :, 0],
            "relu/lslr/K3/lr": lambda array: array[:-1],
            "relu/exact/K3/grad/W1": lambda array: array.reshape(-1, 1),
            "relu/exact/K3/grad/W2": lambda array: array.reshape(-1),
            "relu/exact/K3/query_loss": lambda array: array.reshape(-1),
        }
        for path, change in cases.items():
            with self.subTest(path=path), tempfile.TemporaryDirectory() as folder:
                copy = changed(folder, lambda file: replace(file, path, change(file[path][()])))
                done = check(copy)
                self.assertEqual(done.returncode, 2)
                self.assertIn(f"{path}: expected the shape", done.stderr)

    def test_is_2_for_what_it_cannot_read(self):
        for words in ((), ("/no/such.h5",), (__file__,), (FILE, "--dtype", "f16")):
            done = check(*words)
            self.assertEqual(done.returncode, 2, words)
            self.assertTrue(done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
