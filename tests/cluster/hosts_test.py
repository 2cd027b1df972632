#!/usr/bin/env python3
"""launch/mpirun.sh as it is, over three hosts: hosts_test.py BUILD_FOLDER"""

import os
import subprocess
import time
import unittest

import places
from places import PROJECT, Training, await_that, main

DEADLINE = 40  # seconds from a fault to the end of the run


class HostsTraining(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hosts = Hosts()

    def start(self, run, names):
        words = [*self.hosts.on("h1"), PROJECT / "launch/mpirun.sh", "--hostfile",
                 self.hosts.file(names), "--", *run.words()]
        return subprocess.Popen([str(w) for w in words], env={**os.environ, **self.hosts.settings},
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def finish(self, run, names):
        """The rest of the run on the hosts named."""
        run.set_iterations(run.newest() + 100)
        started = self.start(run, names)
        text = started.communicate(timeout=60)[0]
        self.assertEqual(started.returncode, 0, text)
        self.assertIn(f"resuming {run.folder} at iteration", text)
        run.expect_bytes_of_an_undisturbed_run(self)

    def end_after(self, run, fault):
        """The words of a run on all hosts that `fault` befell."""
        started = self.start(run, HOSTS)
        await_that(lambda: run.newest() >= 100, 40, "checkpoints")
        fault()
        at = time.monotonic()
        text = started.communicate(timeout=DEADLINE)[0]
        print(f"ended {time.monotonic() - at:.1f} s after the fault: {text.splitlines()[-3:]}")
        self.assertNotIn(started.returncode, (0, 2, 75), text)
        return text

    def test_a_dead_host_ends_the_run_and_the_others_finish_it(self):
        run = Training("death")
        self.end_after(run, lambda: self.hosts.kill("h3"))
        self.finish(run, ["h1", "h2"])
        self.hosts.start("h3")

    def test_a_cut_link_ends_the_run_and_the_next_start_finishes_it(self):
        run = Training("cut")
        self.end_after(run, lambda: self.hosts.set_link("h3", "down"))
        self.hosts.set_link("h3", "up")
        self.finish(run, HOSTS)


if __name__ == "__main__":
    places.enter(["mpirun", "ip", "unshare", "nsenter"])
    from hosts import HOSTS, Hosts
    main()
