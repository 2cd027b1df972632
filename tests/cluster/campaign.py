#!/usr/bin/env python3
"""The fault campaign: trainings that random faults befall at random times, under mpirun on three
hosts and under Slurm, and damaged checkpoints by the thousand.

  tests/cluster/campaign.py build/release --faults 200 --table tests/cluster/CAMPAIGN.md

Needs what the other tests of this folder need (tools/packages.sh --cluster; root). The same words
again go on where it was stopped, so --minutes=30 does a part. Results lie in BUILD/campaign/."""

import argparse
import datetime
import json
import subprocess
import sys
import time
from pathlib import Path

from campaign_table import write_table
from faulted import FAULTS_EACH
from launchers import LAUNCHERS
from places import SKIPPED, SOURCE

HERE = Path(__file__).resolve().parent


def parse():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("build", type=Path, help="build folder")
    parser.add_argument("--faults", type=int, default=200, help="in all (rounded up)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--launcher", choices=LAUNCHERS, action="append",
                        help="only this one; twice: both, the default")
    parser.add_argument("--lanes", type=int, default=1,
                        help="trainings side by side under each launcher; they mostly wait")
    parser.add_argument("--minutes", type=float, default=1e6,
                        help="begin no training after this time; the same words go on later")
    parser.add_argument("--damages", type=int, default=10_000,
                        help="also damage so many checkpoints (rounded up)")
    parser.add_argument("--anew", action="store_true", help="forget what was done with this seed")
    parser.add_argument("--table", type=Path, help="write the results there")
    return parser.parse_args()


def commit():
    words = ["git", "-C", SOURCE, "describe", "--always", "--dirty", "--abbrev=9"]
    try:
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:  # no git
        return ""


def read(results):
    return [json.loads(line) for line in results.read_text().splitlines()]


def train(options, results):
    """Under all launchers side by side. Those that cannot run here."""
    until = time.time() + 60 * options.minutes
    launchers = options.launcher or list(LAUNCHERS)
    each = -(-options.faults // (FAULTS_EACH * len(launchers)))
    done = {(course["launcher"], course["training"]) for course in read(results)}
    running = []
    for name in launchers:
        left = [str(i) for i in range(each) if (name, i) not in done]
        for numbers in filter(None, (left[lane::options.lanes] for lane in range(options.lanes))):
            words = [sys.executable, HERE / "faulted.py", options.build, name, options.seed,
                     results, until, commit(), *numbers]
            running.append((name, subprocess.Popen([str(word) for word in words])))
    codes = [(name, process.wait()) for name, process in running]
    broken = [name for name, code in codes if code not in (0, SKIPPED)]
    if broken:
        sys.exit(f"the part under {' and '.join(broken)} has failed")
    return [name for name, code in codes if code == SKIPPED]


def damage(options, results):
    """Rounds of the test program with other draws in each, until there are enough."""
    done = [course for course in read(results) if course["launcher"] == "damage"]
    trials = sum(sum(course["trials"].values()) for course in done)
    for number in range(len(done), 1000):
        if trials >= options.damages:
            return
        out = results.with_suffix(".damage.json")
        words = [options.build / "tests/checkpoint_damage_test", f"--gtest_output=json:{out}",
                 "--gtest_shuffle", f"--gtest_random_seed={1 + options.seed * 1000 + number}"]
        code = subprocess.run(words, stdout=subprocess.DEVNULL, check=False).returncode
        tests = json.loads(out.read_text())["testsuites"][0]["testsuite"]
        counts = {test["name"]: int(test["trials"]) for test in tests if "trials" in test}
        failed = [test["name"] for test in tests if "failures" in test]
        print(f"damage {number}: {counts}: {'FAILED ' + str(failed) if code else 'all refused'}")
        trials += sum(counts.values())
        with open(results, "a", encoding="utf-8") as file:
            file.write(json.dumps({"launcher": "damage", "training": number, "trials": counts,
                                   "broke": ", ".join(failed), "faults": [],
                                   "commit": commit()}) + "\n")


def main():
    options = parse()
    options.build = options.build.resolve()
    results = options.build / f"campaign/seed-{options.seed}.jsonl"
    results.parent.mkdir(exist_ok=True)
    if options.anew:
        results.unlink(missing_ok=True)
    results.touch()
    skipped = train(options, results)
    damage(options, results)
    courses = read(results)
    if options.table:
        words = [word for word in sys.argv[1:] if not word.startswith("--minutes=")]
        command = " ".join(["tests/cluster/campaign.py", *words])
        write_table(options.table, courses, command, options.faults, datetime.date.today())
    failed = [course for course in courses
              if course["broke"] or any(fault["bad"] for fault in course["faults"])]
    if failed:
        sys.exit(f"{len(failed)} trainings or rounds of damage failed: see {results}")
    if skipped:
        sys.exit(SKIPPED)


if __name__ == "__main__":
    main()
