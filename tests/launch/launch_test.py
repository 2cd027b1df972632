"""What the scripts of launch/ say to wrong words, and that mpirun.sh starts as many ranks as asked."""

import os
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
JOB = {"SLURM_JOB_ID": "1", "SLURM_SUBMIT_DIR": str(ROOT)}
BENCH = ["--", "bench", "comm", "--most-bytes", "1024", "--seconds", "0.001"]

# script, words, variables, exit codes, what it says
CASES = [
    ("mpirun.sh", [], {}, [2], "usage: launch/mpirun.sh [words for mpirun] -- COMMAND"),
    ("mpirun.sh", ["--help"], {}, [2], "usage: launch/mpirun.sh"),
    ("mpirun.sh", ["-np", "2", "--"], {}, [2], "usage: launch/mpirun.sh"),
    ("mpirun.sh", ["-np", "2", *BENCH], {"OUTERLOOP": "/no/program"}, [2],
     "outerloop: OUTERLOOP=/no/program is no program"),
    ("mpirun.sh", ["--hostfile", "/no/hosts", *BENCH], {}, range(1, 128), "/no/hosts"),
    ("mpirun.sh", ["-np", "some", *BENCH], {}, range(1, 128), "some"),
    ("mpirun.sh", ["-np", "2", "--", "train", "no.yaml"], {}, [2], "error: no.yaml: no such config"),
    ("slurm.sbatch", [], {}, [2], "usage: sbatch [words for sbatch] launch/slurm.sbatch train"),
    ("slurm.sbatch", ["train", "c.yaml"], {}, [2], "usage: sbatch"),
    ("slurm.sbatch", [], JOB, [2], "usage: sbatch"),
    ("slurm.sbatch", ["train", "c.yaml"], {**JOB, "SLURM_SUBMIT_DIR": "/"}, [2],
     "outerloop: no launch/env.sh in /; call sbatch in the project's folder"),
    ("sweep.sbatch", [], {}, [2], "usage: sbatch --array=0-N launch/sweep.sbatch SWEEP [PROGRAM]"),
    ("sweep.sbatch", ["--help"], {}, [2], "usage: sbatch"),
    ("sweep.sbatch", ["/no/sweep", os.environ["OUTERLOOP"]], {}, [2],
     "error: /no/sweep is no sweep"),
    ("farm.sbatch", ["outerloop"], {}, [2], "usage: sbatch --array=0-N launch/farm.sbatch PROGRAM"),
    ("farm.sbatch", ["--help", "importance"], {}, [2], "usage: sbatch"),
]


def launch(script, words, variables=()):
    without = {k: v for k, v in os.environ.items() if not k.startswith("SLURM_")}
    return subprocess.run(["bash", ROOT / "launch" / script, *words], env={**without, **dict(variables)},
                          capture_output=True, text=True, timeout=120, check=False)


def end_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:  # all of it has ended
        pass
    process.wait()


class Launch(unittest.TestCase):
    def test_wrong_words_are_told_what_is_wrong(self):
        for script, words, variables, codes, text in CASES:
            with self.subTest(script=script, words=words):
                run = launch(script, words, variables)
                self.assertIn(text, run.stderr + run.stdout)
                self.assertIn(run.returncode, codes, run.stderr)

    def test_mpirun_starts_as_many_ranks_as_asked_however_that_is_written(self):
        for word in ("-np", "--np", "-n", "-c", "-N"):
            with self.subTest(word=word):
                run = launch("mpirun.sh", [word, "3", *BENCH])
                self.assertEqual(run.returncode, 0, run.stderr)
                self.assertIn("mpi, 3 ranks", run.stdout)

    def test_job_arrays_ask_for_another_turn_when_they_were_stopped_but_not_when_cancelled(self):
        for script, words in (("sweep.sbatch", ["sweep", "program"]), ("farm.sbatch", ["program", "importance"])):
            for number, restarts, queued in ((signal.SIGUSR1, 0, True), (signal.SIGUSR1, 20, False),
                                             (signal.SIGTERM, 0, False)):
                with self.subTest(script=script, signal=number, restarts=restarts), \
                        tempfile.TemporaryDirectory() as folder:
                    for name, text in (
                            ("program", 'trap "exit 75" USR1; touch "$HERE/begun"; '
                                        "while true; do sleep 0.05; done"),
                            ("scontrol", 'echo "$*" >>"$HERE/queued"')):
                        file = Path(folder, name)
                        file.write_text(f"#!/bin/sh\n{text}\n")
                        file.chmod(0o755)
                    variables = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "HERE": folder,
                                 "SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": str(restarts)}
                    job = subprocess.Popen(["bash", ROOT / "launch" / script, *words], env=variables,
                                           start_new_session=True)
                    self.addCleanup(end_group, job)
                    self.await_file(job, Path(folder, "begun"))
                    job.send_signal(number)
                    self.assertEqual(job.wait(timeout=60), 75)
                    queue = Path(folder, "queued")
                    self.assertEqual(queue.read_text() if queue.exists() else "",
                                     "requeue 7\n" if queued else "")

    def await_file(self, process, file):
        end = time.monotonic() + 120
        while not file.exists():
            self.assertIsNone(process.poll(), "it ended at once")
            self.assertLess(time.monotonic(), end, f"no {file}")
            time.sleep(0.1)

    def test_a_signal_to_mpirun_stops_the_training_with_a_checkpoint(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            with self.subTest(signal=number), tempfile.TemporaryDirectory() as folder:
                checkpoints = Path(folder, "run/ckpt")
                words = ["-np", "2", "--", "train", ROOT / "configs/sinusoid_maml.yaml", "--quiet",
                         f"run_dir={folder}/run", "outer.iterations=1000000000", "outer.meta_batch=4",
                         "validation.every=0", "checkpoint.every=10", "runtime.threads=1"]
                script = subprocess.Popen(["bash", ROOT / "launch/mpirun.sh", *words],
                                          start_new_session=True)
                self.addCleanup(end_group, script)
                self.await_file(script, checkpoints / "latest")
                os.killpg(script.pid, number)  # as Ctrl-C does
                self.assertEqual(script.wait(timeout=120), 75)


if __name__ == "__main__":
    unittest.main()
