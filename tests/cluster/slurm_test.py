#!/usr/bin/env python3
"""launch/slurm.sbatch as it is, on a real Slurm of four nodes: slurm_test.py BUILD_FOLDER"""

import re
import unittest

import places
from places import PROJECT, Training, await_that, main

SCRIPT = PROJECT / "launch/slurm.sbatch"
LONG = 240  # four ranks on one busy core made 3 iterations a second


class SlurmTraining(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.slurm = Slurm()

    def test_a_time_limit_stops_it_and_the_queue_goes_on_to_the_same_bytes(self):
        run = Training("limit")
        job = Job(SCRIPT, run.words(), "--time=1", "--signal=USR1@20")
        job.await_text("stopped by SIGUSR1 at iteration", LONG)
        stopped = int(re.search(r"SIGUSR1 at iteration (\d+)", job.text())[1])
        run.set_iterations(stopped + 30)
        self.assertEqual(job.await_end(LONG), "COMPLETED", job.told())
        self.assertEqual(job.field("Restarts"), "1")
        self.assertIn(f"resuming {run.folder} at iteration {stopped}\n", job.text())
        self.assertEqual(run.hosts(), list(self.slurm.nodes))
        run.expect_bytes_of_an_undisturbed_run(self)

    def test_a_dead_node_puts_it_back_into_the_queue_for_those_left(self):
        run = Training("death")
        job = Job(SCRIPT, run.words(), "--time=10", "--nodes=3-4")
        await_that(lambda: run.newest() >= 50, LONG, "checkpoints", job.told)
        self.slurm.kill_node("n3")
        await_that(lambda: int(job.field("Restarts")) > 0, LONG, "a new place in the queue",
                   job.told)
        run.set_iterations(run.newest() + 30)
        self.assertEqual(job.await_end(LONG), "COMPLETED", job.told())
        self.assertIn(f"resuming {run.folder} at iteration", job.text())
        self.assertEqual(run.hosts(), ["n1", "n2", "n4"])
        run.expect_bytes_of_an_undisturbed_run(self)
        self.slurm.nodes["n3"] = self.slurm.start_node("n3")


if __name__ == "__main__":
    places.enter(["munged", "slurmctld", "slurmd", "sbatch", "srun", "ip", "unshare"])
    from slurm import Job, Slurm
    main()
