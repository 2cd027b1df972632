#!/usr/bin/env python3
"""The scripts of launch/ as they are, on a real Slurm of four nodes: slurm_test.py BUILD_FOLDER"""

import os
import re
import signal
import subprocess
import unittest
from pathlib import Path

import places
from launchers import ranks
from places import PROGRAM, PROJECT, WORK, Training, await_that, call, main

SWEEP = """
config: base.yaml
set: {outer.meta_batch: 2, outer.iterations: ITERATIONS, model.hidden: [4], test.tasks: 4,
      validation.tasks: 4, validation.every: 10, report.write: false}
grid: {inner.rate: [0.01, 0.1], model.activation: [relu, tanh]}
"""
SCRIPT = PROJECT / "launch/slurm.sbatch"
LONG = 240  # four ranks on one busy core made 3 iterations a second


class SlurmTraining(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.slurm = Slurm()

    def test_a_time_limit_stops_it_and_the_queue_goes_on_to_the_same_bytes(self):
        run = Training("limit")
        job = Job(SCRIPT, run.words(), "--time=1", "--signal=B:USR1@20")
        job.await_text("stopped by SIGUSR1 at iteration", LONG)
        stopped = int(re.search(r"SIGUSR1 at iteration (\d+)", job.text())[1])
        run.set_iterations(stopped + 10)
        self.assertEqual(job.await_end(LONG), "COMPLETED", job.told())
        self.assertGreaterEqual(int(job.field("Restarts")), 1)
        self.assertIn(f"resuming {run.folder} at iteration {stopped} on cpu\n", job.text())
        self.assertEqual(run.hosts(), list(self.slurm.nodes))
        self.assertFalse(job.starts().exists())
        run.expect_bytes_of_an_undisturbed_run(self)

    def test_mpirun_on_one_node_is_stopped_before_the_time_limit_too(self):
        run = Training("mpirun")
        job = Job(SCRIPT, run.words(), "--nodes=1", "--time=1", "--signal=B:USR1@20",
                  "--export=ALL,OUTERLOOP_LAUNCH=mpirun")
        self.addCleanup(job.starts().unlink, missing_ok=True)
        job.await_text("stopped by SIGUSR1 at iteration", LONG)
        await_that(lambda: int(job.field("Restarts")) > 0, LONG, "a new place in the queue",
                   job.told)
        call("scancel", job.id)
        self.assertEqual(job.await_end(LONG), "CANCELLED", job.told())

    def test_a_dead_node_puts_it_back_into_the_queue_for_those_left(self):
        run = Training("death")
        job = Job(SCRIPT, run.words(), "--time=10", "--nodes=3-4")
        await_that(lambda: run.newest() >= 50, LONG, "checkpoints", job.told)
        self.slurm.kill_node("n3")
        job.await_text("error: rank 2 on n3 is gone: ", LONG)
        await_that(lambda: int(job.field("Restarts")) > 0, LONG, "a new place in the queue",
                   job.told)
        run.set_iterations(run.newest() + 30)
        self.assertEqual(job.await_end(LONG), "COMPLETED", job.told())
        self.assertIn(f"resuming {run.folder} at iteration", job.text())
        self.assertEqual(run.hosts(), ["n1", "n2", "n4"])
        run.expect_bytes_of_an_undisturbed_run(self)
        self.slurm.nodes["n3"] = self.slurm.start_node("n3")

    def test_a_stopped_rank_is_named_and_the_queue_goes_on_to_the_same_bytes(self):
        run = Training("stopped")
        job = Job(SCRIPT, [*run.words(), "--rank-silence=6s"], "--time=10")
        await_that(lambda: run.newest() >= 50, LONG, "checkpoints", job.told)
        os.kill(ranks()[1], signal.SIGSTOP)
        job.await_text("error: rank 1 on n2 gave no sign of life for 6 s; it did not enter ", LONG)
        await_that(lambda: int(job.field("Restarts")) > 0, LONG, "a new place in the queue",
                   job.told)
        self.assertEqual(job.text().count("error: rank "), 1, job.text())
        run.set_iterations(run.newest() + 30)
        self.assertEqual(job.await_end(LONG), "COMPLETED", job.told())
        run.expect_bytes_of_an_undisturbed_run(self)

    def test_tasks_that_srun_starts_apart_are_refused_with_one_line(self):
        run = Training("apart")
        script = WORK / "apart.sbatch"
        script.write_text('#!/bin/bash\nsrun --mpi=none "$OUTERLOOP" "$@"\n')
        job = Job(script, run.words(), "--nodes=2", "--ntasks-per-node=1")
        self.assertEqual(job.await_end(LONG), "FAILED", job.told())
        self.assertEqual(job.field("ExitCode"), "2:0", job.told())
        self.assertEqual(job.text().count("error: srun started 2 tasks"), 1, job.text())
        self.assertFalse(run.folder.exists())

    def test_a_sweep_as_a_job_array_gives_the_report_of_one_worker(self):
        alone = planned("alone")
        call(PROGRAM, "sweep", "run", alone)
        by_hand = planned("by-hand")
        job = Job(PROJECT / "launch/sweep.sbatch", [by_hand, PROGRAM], "--array=0-3", "--time=5")
        submitted = planned("submitted")
        call(PROGRAM, "sweep", "submit", submitted, "--tasks", "3", "--sbatch=--time=5", cwd=WORK)
        for sweep in (by_hand, submitted):
            await_that(lambda at=sweep: "4 points: 4 done" in call(PROGRAM, "sweep", "status", at),
                       LONG, f"{sweep} is done", job.told)
            self.assertEqual(reports(sweep), reports(alone))

    def test_a_cancelled_job_array_keeps_its_checkpoints_and_is_not_queued_again(self):
        sweep = planned("cancelled", iterations=Training.ENDLESS)
        job = Job(PROJECT / "launch/sweep.sbatch", [sweep, PROGRAM], "--array=0-1", "--time=5")
        await_that(lambda: len(list(sweep.rglob("metrics.jsonl"))) == 2, LONG, "two trainings",
                   job.told)
        call("scancel", job.id)
        await_that(lambda: set(job.states()) == {"CANCELLED"}, LONG, "both tasks have ended",
                   job.told)
        self.assertIn("2 interrupted", call(PROGRAM, "sweep", "status", sweep))

    def test_shards_as_a_job_array_make_the_journal_of_one_process(self):
        config = PROJECT / "configs/iris_importance.yaml"
        whole, run = WORK / "iris-whole", WORK / "iris"
        call(PROGRAM, "importance", config, f"run_dir={whole}")
        job = Job(PROJECT / "launch/farm.sbatch",
                  [PROGRAM, "importance", config, f"run_dir={run}"], "--array=0-2", "--time=5")
        journals = [run / f"journal/importance-{i}of3.h5" for i in range(3)]
        await_that(lambda: all(file.exists() for file in journals) and merged(run, journals),
                   LONG, "all cells are done", job.told)
        call(PROGRAM, "importance", config, f"run_dir={run}")
        for name in ("journal/importance.h5", "importance.json", "report.html"):
            self.assertEqual((run / name).read_bytes(), (whole / name).read_bytes(), name)


def merged(run, journals):
    """Whether the journals hold all cells between them."""
    words = [PROGRAM, "farm", "merge", run / "journal/importance.h5", *journals]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def planned(name, iterations=20):
    (WORK / "base.yaml").write_text("tasks: {shots: 4, queries: 4}\n")
    (WORK / "sweep.yaml").write_text(SWEEP.replace("ITERATIONS", str(iterations)))
    call(PROGRAM, "sweep", "plan", WORK / "sweep.yaml", "--out", WORK / name)
    return WORK / name


def reports(sweep):
    files = call(PROGRAM, "sweep", "report", sweep).splitlines()[:3]
    return {Path(file).name: Path(file).read_bytes() for file in files}


if __name__ == "__main__":
    places.enter(["munged", "slurmctld", "slurmd", "sbatch", "srun", "ip", "unshare"])
    from slurm import Job, Slurm
    main()
