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


def spoiled(folder, number):
    """A copy of the file where one number of a stored gradient is another."""
    copy = Path(folder) / "spoiled.h5"
    shutil.copy(FILE, copy)
    with h5py.File(copy, "r+") as file:
        gradient = file["relu/anil/K3/grad/W1"]
        gradient[(0,) * gradient.ndim] = number
    return copy


class Answer(unittest.TestCase):
    def test_names_what_no_rule_of_the_layout_is_for(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "more.h5"
            shutil.copy(FILE, copy)
            with h5py.File(copy, "r+") as file:
                file["relu/anil/K3/another"] = 1.0
            result = json.loads(check(copy, "--json").stdout)
            self.assertIn("relu/anil/K3/another", result["not_read"])
            told = [line for line in check(copy).stdout.splitlines() if "not read" in line]
            self.assertEqual(len(told), 1)
            self.assertIn("relu/anil/K3/another", told[0])


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

    def test_is_2_for_what_it_cannot_read(self):
        for words in ((), ("/no/such.h5",), (__file__,), (FILE, "--dtype", "f16")):
            done = check(*words)
            self.assertEqual(done.returncode, 2, words)
            self.assertTrue(done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
