"""Features that tools/datasets/ready_tables.py makes, against formulas by hand."""

import math
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "datasets"))
import ready_tables


class ReadyTables(unittest.TestCase):
    def test_an_infusion_that_ends_decays(self):
        infusion = [(0.0, 3.0), (2.0, 0.0)]
        risen = lambda time: 3 / 0.5 * (1 - math.exp(-0.5 * time))
        for time, expected in ((0.0, 0.0), (1.0, risen(1)), (2.0, risen(2)),
                               (5.0, risen(2) * math.exp(-0.5 * 3))):
            self.assertAlmostEqual(ready_tables.convolved(infusion, 0.5, time), expected)

    def test_ratings_become_rows(self):
        rows = ready_tables.spi({"ratings": [{"user": "u", "split": "val", "q1": "4", "q2": "1"}]})
        self.assertEqual(list(rows)[1:], [["u", "val", "q1", "4"], ["u", "val", "q2", "1"]])

    def test_growth_begins_in_2000_in_units_of_its_deviation(self):
        months = [("1999", "12", 100), ("2000", "1", 110), ("2000", "2", 110)]
        series = [{"series": "s", "split": "test", "year": year, "month": month, "employed": value}
                  for year, month, value in months]
        rows = list(ready_tables.us_employment({"series": series}))[1:]
        self.assertEqual([float(row[-1]) for row in rows], [2.0, 0.0])
        self.assertAlmostEqual(float(rows[0][2]), math.cos(math.pi / 6))


if __name__ == "__main__":
    unittest.main()
