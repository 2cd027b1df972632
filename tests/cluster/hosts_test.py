#!/usr/bin/env python3
"""launch/mpirun.sh as it is, over three hosts: hosts_test.py BUILD_FOLDER"""

import os
import re
import signal
import subprocess
import time
import unittest

import places
from places import PROGRAM, PROJECT, WORK, Training, await_that, call, main, patience

DEADLINE = 60  # seconds from a fault to the end of the run
LONG = 240  # three ranks on one busy core made 4 iterations a second


class FarmJob:
    """Importance with enough cells to be interrupted."""

    def __init__(self, name):
        self.folder = WORK / name

    def words(self):
        return ["importance", PROJECT / "configs/iris_importance.yaml", f"run_dir={self.folder}",
                "rng=keyed", "repeats=100000", "threads=1", "--quiet"]

    def done(self):
        journal = self.folder / "journal/importance.h5"
        if not journal.exists():
            return 0
        return int(re.search(r"(\d+) of \d+ cells", call(PROGRAM, "farm", "status", journal))[1])

    def log(self):
        return call(PROGRAM, "farm", "status", self.folder / "journal/importance.h5")


class HostsTraining(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hosts = Hosts()

    def start(self, run, names, *more, before=()):
        words = [*self.hosts.on("h1"), *before, PROJECT / "launch/mpirun.sh", "--hostfile",
                 self.hosts.file(names), "--", *run.words(), *more]
        return subprocess.Popen([str(w) for w in words], env={**os.environ, **self.hosts.settings},
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def end_of(self, started, run, seconds):
        """What a started run has said when it ends; a late one shows what the hosts run."""
        begin = time.monotonic()
        while time.monotonic() - begin < patience(seconds):
            try:
                return started.communicate(timeout=5)[0]
            except subprocess.TimeoutExpired:
                pass
        running = "\n".join(self.hosts.running())
        started.kill()
        said = started.communicate()[0]
        self.fail(f"no end within {seconds} s\n{said}\nrunning:\n{running}\nlog:\n{run.log()}")

    def finish(self, run, names):
        """The rest of the run on the hosts named, when these are empty."""
        self.hosts.await_without("", names)
        run.set_iterations(run.newest() + 30)
        started = self.start(run, names)
        text = self.end_of(started, run, LONG)
        self.assertEqual(started.returncode, 0, text)
        self.assertIn(f"resuming {run.folder} at iteration", text)
        run.expect_bytes_of_an_undisturbed_run(self)

    def await_in(self, started, happened, what, context=lambda: ""):
        """As await_that, unless the run ends first: that is told at once, with its words."""
        await_that(lambda: happened() or started.poll() is not None, LONG, what, context)
        if not happened():
            self.fail(f"ended with exit code {started.returncode} before: {what}\n"
                      f"{started.communicate()[0]}{context()}")

    def end_after(self, run, fault, *more, before=()):
        """The words of a run on all hosts that `fault` befell."""
        started = self.start(run, HOSTS, *more, before=before)
        self.await_in(started, lambda: run.newest() >= 50, "checkpoints", run.log)
        fault()
        at = time.monotonic()
        text = self.end_of(started, run, DEADLINE)
        print(f"ended {time.monotonic() - at:.1f} s after the fault: {text.splitlines()[-3:]}")
        self.assertNotIn(started.returncode, (0, 2, 75), text)
        return text

    def expect_one_line(self, text, run, cause):
        """The run ended with the cause, which is in its log too."""
        named = [line for line in text.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(named), 1, text)
        self.assertIn(f"error: {cause}", named[0])
        self.assertIn(named[0].removeprefix("error: "), run.log())

    def test_a_dead_host_ends_the_run_and_the_others_finish_it(self):
        run = Training("death")
        text = self.end_after(run, lambda: self.hosts.kill("h3"))
        self.expect_one_line(text, run, "rank 2 on h3 is gone: ")
        self.finish(run, ["h1", "h2"])
        self.hosts.start("h3")

    def test_a_start_without_the_network_is_tried_again_and_then_given_up(self):
        """Open MPI's daemon on the host ends unheard: mpirun by itself would wait for ever."""
        run = Training("reached")
        run.set_iterations(30)
        limit = os.environ["OUTERLOOP_START_LIMIT"] = f"{patience(15):.0f}s"
        self.addCleanup(os.environ.pop, "OUTERLOOP_START_LIMIT")
        self.hosts.set_link("h3", "down")
        text = self.end_of(started := self.start(run, HOSTS), run, DEADLINE)
        self.assertEqual(started.returncode, 1, text)
        self.assertIn(f"did not reach all hosts within {limit} (try 2 of 2)", text)
        self.assertIn("check ssh and the network between the hosts", text)
        started = self.start(run, HOSTS)
        await_that(lambda: self.hosts.running(["h3"]), LONG, "a daemon on h3")
        self.hosts.await_without("orted", ["h3"])
        self.hosts.set_link("h3", "up")
        text = self.end_of(started, run, LONG)
        self.assertEqual(started.returncode, 0, text)
        self.assertIn("(try 1 of 2)", text)

    def test_a_cut_link_ends_the_run_with_the_name_of_the_rank(self):
        run = Training("cut")
        text = self.end_after(run, lambda: self.hosts.set_link("h3", "down"),
                              "--rank-silence=6s")
        self.hosts.await_without("outerloop", ["h3"])  # cut off, its rank ends by itself
        self.hosts.set_link("h3", "up")
        self.expect_one_line(text, run,
                             "rank 2 on h3 gave no sign of life for 6 s; it did not enter ")
        self.finish(run, HOSTS)

    def test_a_cut_link_that_mpirun_does_not_notice_ends_the_run(self):
        run = Training("unnoticed")
        text = self.end_after(run, lambda: self.hosts.set_link("h3", "down"), "--rank-silence=6s",
                              before=["env", "OMPI_MCA_oob_tcp_keepalive_time=300"])
        self.hosts.await_without("outerloop", HOSTS)
        self.hosts.set_link("h3", "up")
        self.expect_one_line(text, run, "rank 2 on h3 gave no sign of life for 6 s; ")
        self.hosts.await_without("", HOSTS)

    def test_a_stopped_rank_ends_the_run_with_its_name(self):
        for rank, host in ((0, "h1"), (1, "h2")):  # who leads, and who speaks for it
            run = Training(f"stopped-{rank}")
            text = self.end_after(run, lambda at=host: self.hosts.signal_rank(at, signal.SIGSTOP),
                                  "--rank-silence=6s")
            self.expect_one_line(text, run, f"rank {rank} on {host} gave no sign of life for 6 s; "
                                 "it did not enter ")
            self.hosts.await_without("outerloop", HOSTS)

    def test_a_job_of_the_farm_goes_on_after_a_dead_host(self):
        whole, run = FarmJob("farm-whole"), FarmJob("farm")
        call(PROGRAM, *whole.words())
        started = self.start(run, HOSTS)
        self.await_in(started, lambda: run.done() > 5000, "results")
        self.hosts.kill("h3")
        self.end_of(started, run, DEADLINE)
        self.assertNotEqual(started.returncode, 0)
        self.hosts.start("h3")
        self.hosts.await_without("", HOSTS)
        started = self.start(run, HOSTS)
        text = self.end_of(started, run, LONG)
        self.assertEqual(started.returncode, 0, text)
        for name in ("journal/importance.h5", "importance.json", "report.html"):
            self.assertEqual((run.folder / name).read_bytes(), (whole.folder / name).read_bytes())

    def test_supervise_starts_a_run_again_whose_rank_was_killed(self):
        run = Training("killed")
        started = self.start(run, HOSTS, before=[PROGRAM, "supervise", "--pause=20s", "--"])
        self.await_in(started, lambda: run.newest() >= 50, "checkpoints", run.log)
        self.hosts.signal_rank("h3", signal.SIGKILL)
        self.hosts.await_without("outerloop", ["h2", "h3"])
        run.set_iterations(run.newest() + 30)
        text = self.end_of(started, run, LONG)
        self.assertEqual(started.returncode, 0, text)
        self.assertIn("starting it again in 20s (1 of 10)", text)
        self.expect_one_line(text, run, "rank 2 on h3 is gone: ")
        run.expect_bytes_of_an_undisturbed_run(self)


if __name__ == "__main__":
    places.enter(["mpirun", "ip", "unshare", "nsenter"])
    from hosts import HOSTS, Hosts
    main()
