#!/usr/bin/env python3
"""One part of the fault campaign: faulted.py BUILD_FOLDER LAUNCHER SEED RESULTS UNTIL COMMIT TRAINING…

Each TRAINING is a number that, with the seed, settles all draws: a run that suffers FAULTS_EACH
faults one after the other, each followed by a start on another number of ranks, and then ends
undisturbed. UNTIL is the time.time() after which no further training begins."""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import sys
import time

import places
from faults import FAULTS, Scene
from launchers import LAUNCHERS, ranks
from places import WORK, Training, await_that, call, patience

FAULTS_EACH = 4
EVERY = 20  # iterations between checkpoints
STARTS = 3  # before it is given up; MPI itself fails now and then on a busy machine
START = 120  # seconds for a start, on a busy machine
LONG = 240  # for the undisturbed end


class FaultedTraining(Training):
    every = EVERY
    tasks = 12  # enough work for some hundred iterations a second

    def words(self, folder=None):
        return [*super().words(folder), "inner.steps=5", "log.every_iterations=1"]

    def reached(self):
        """The last iteration that was made."""
        metrics = self.folder / "metrics.jsonl"
        lines = metrics.read_text().splitlines() if metrics.exists() else []
        made = [int(found[1]) for found in map(re.compile(r'.*"iteration":(\d+),').match, lines)
                if found]
        return max(made, default=0)

    def opened(self):
        """Differs for each start that came as far as to its first iteration."""
        manifest = self.folder / "manifest.json"
        return manifest.stat().st_mtime_ns if manifest.exists() else 0

    def is_writing(self):
        return any((self.folder / "ckpt").glob(".tmp-*"))


def ended(started):
    return started.code() is not None and not ranks()


def clear(started):
    """Leaves nothing of a start that went wrong."""
    if started.code() is None:
        started.end()
    for process in ranks().values():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    await_that(lambda: ended(started), START, "nothing is left of it")


class Course:
    """One training from its first start to its end, with a record for each fault."""

    def __init__(self, launcher, seed, number, disk):
        self.launcher, self.disk = launcher, disk
        self.random = random.Random(f"{seed} {number}")
        self.run = FaultedTraining(f"run-{number}", disk)
        self.kinds = self.random.sample(
            [kind for kind, fault in FAULTS.items() if launcher.name in fault.launchers],
            FAULTS_EACH)
        self.records = []
        self.failed_starts = []
        self.count = 0
        self.started = None

    def start(self, least):
        """On another number of ranks than the last time."""
        self.count = self.random.choice(
            [n for n in range(least, self.launcher.most_ranks + 1) if n != self.count])
        self.started = self.launcher.start(self.run, self.count)

    def await_start_or_end(self, happened, what):
        await_that(lambda: happened() or self.started.code() is not None, START, what,
                   self.started.text)

    def train(self, fault):
        """Until the moment of the fault; whether it came as far."""
        before = self.run.opened()
        self.start(least=2)
        self.await_start_or_end(lambda: self.run.opened() != before, "it trains again")
        if fault.damages:
            self.await_start_or_end(lambda: len(self.run.checkpoints()) > 1, "two checkpoints")
        time.sleep(0.1 + self.random.random())
        if self.started.code() is None:
            return True
        self.failed_starts.append(self.started.text())
        return False

    def suffer(self, kind):
        fault = FAULTS[kind]
        if not any(self.train(fault) for _ in range(STARTS)):
            raise AssertionError(f"{STARTS} starts ended by themselves\n{self.started.text()}")
        self.tell_last()
        scene = Scene(self.launcher, self.run, self.random, self.disk)
        at = self.run.reached()
        hit = fault.strike(scene)
        record = {"kind": kind, "ranks": self.count, "at": at, "hit": hit, "bad": []}
        self.records.append(record)
        self.await_end(record)
        record.update(reached=self.run.reached(), writing=self.run.is_writing())
        if fault.has_name:
            record["named"] = bool(re.match(rf"error: .*?{hit}\b[^;]* (is gone|gave no)",
                                            record["said"]))
        if more := fault.after(scene, hit):
            record["hit"] += f", {more}"

    def await_end(self, record):
        struck = time.monotonic()
        while not ended(self.started):
            if time.monotonic() - struck > patience(self.launcher.deadline):
                record["bad"].append(f"no end within {self.launcher.deadline} s")
                print(self.started.text(), self.run.log(), ranks(), sep="\n", file=sys.stderr)
                clear(self.started)
            time.sleep(0.05)
        errors = re.findall("^error: .*", self.started.text(), re.MULTILINE)
        record.update(seconds=round(time.monotonic() - struck, 1), code=self.started.code(),
                      said=errors[0] if errors else "")
        if record["code"] in (0, 2, 75):
            record["bad"].append(f"exit code {record['code']}")

    def tell_last(self):
        """In the last fault's record: how its training went on."""
        if not self.records:
            return
        record, text = self.records[-1], self.started.text()
        found = re.search(r"resuming .* at iteration (\d+)", text)
        resumed = int(found[1]) if found else 0
        record.update(then=self.count, lost=record["reached"] - resumed)
        damages = FAULTS[record["kind"]].damages
        unwritten = record["writing"] or record["kind"] == "full disk"
        if record["lost"] > EVERY * (1 + damages + unwritten):
            record["bad"].append("more than an interval lost")
        if damages and not re.search(r"skipped .*: damaged", text):
            record["bad"].append("the damage was not told")

    def finish(self):
        self.run.set_iterations((self.run.reached() // EVERY + 2) * EVERY)
        before = self.run.opened()
        for _ in range(STARTS):
            self.start(least=1)
            await_that(lambda: ended(self.started), LONG, "the end", self.started.text)
            if self.started.code() == 0 or self.run.opened() != before:
                break
            self.failed_starts.append(self.started.text())  # before its first iteration
        if self.started.code() != 0:
            raise AssertionError(f"exit code {self.started.code()}\n{self.started.text()}")
        self.tell_last()
        equal = self.run.has_bytes_of_an_undisturbed_run()
        for record in self.records:
            record["equal"] = equal
            record["bad"] += [] if equal else ["other bytes in the end"]

    def go(self):
        """The records, and why it broke off, if it did."""
        try:
            for kind in self.kinds:
                self.suffer(kind)
            self.finish()
            shutil.rmtree(self.run.folder)
            return self.records, ""
        except (AssertionError, RuntimeError, OSError) as error:
            print(f"{self.run.folder}: {error}\n{self.run.log()}", file=sys.stderr)
            clear(self.started)
            if self.records and "lost" not in self.records[-1]:
                self.records[-1]["bad"].append("did not go on after it")
            return self.records, str(error).splitlines()[0]


def describe(record):
    verdict = "FAILED: " + ", ".join(record["bad"]) if record["bad"] else "ok"
    return (f"{record['kind']} ({record['hit']}) on {record['ranks']} ranks at iteration "
            f"{record['at']}: exit code {record['code']} after {record['seconds']} s, "
            f"{record.get('lost')} iterations lost, then {record.get('then')} ranks: "
            f"{verdict} [{record['said']}]")


def main():
    name, seed, results, until, commit, *numbers = sys.argv[1:]
    disk = WORK / "disk"
    disk.mkdir()
    call("mount", "-t", "tmpfs", "-o", "size=16m", "none", disk)
    launcher = LAUNCHERS[name]()
    for number in map(int, numbers):
        if time.time() > float(until):
            break
        course = Course(launcher, seed, number, disk)
        records, broke = course.go()
        for record in records:
            print(f"{name} {number}: {describe(record)}", flush=True)
        if broke:
            print(f"{name} {number}: broke off: {broke}", flush=True)
        with open(results, "a", encoding="utf-8") as out:
            out.write(json.dumps({"launcher": name, "training": number, "faults": records,
                                  "broke": broke, "failed_starts": course.failed_starts,
                                  "commit": commit}) + "\n")


if __name__ == "__main__":
    places.enter(LAUNCHERS[sys.argv[2]].commands)
    main()
