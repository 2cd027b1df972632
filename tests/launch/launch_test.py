"""What the scripts of launch/ say to wrong words, that mpirun.sh starts as many ranks as asked, and when
the scripts for Slurm ask for another turn."""

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


# restarts so far, of them before the last stop (None: there is no file), exit code; whether it is queued
# again, and the file then
TURNS_OF_A_TRAINING = [
    (0, None, 75, True, 1),
    (30, None, 75, True, 31),
    (30, 20, 75, True, 31),
    (8, None, 1, True, None),
    (9, None, 1, False, None),
    (39, 31, 1, True, 31),
    (40, 31, 1, False, None),
    (40, 31, 2, False, None),
    (40, 31, 0, False, None),
]

# signal, restarts so far, of them before the last turn that brought something (None: there is no file),
# whether this one does; whether it is queued again, and the file then
TURNS_OF_AN_ARRAY = [
    (signal.SIGUSR1, 0, None, False, True, 0),
    (signal.SIGUSR1, 0, None, True, True, 1),
    (signal.SIGUSR1, 19, None, False, True, 0),
    (signal.SIGUSR1, 20, None, False, False, None),
    (signal.SIGUSR1, 20, None, True, True, 21),
    (signal.SIGUSR1, 40, 21, False, True, 21),
    (signal.SIGUSR1, 41, 21, False, False, None),
    (signal.SIGUSR1, 41, 21, True, True, 42),
    (signal.SIGTERM, 0, None, True, False, None),
]

# What a worker leaves that was stopped, by script. Files of earlier turns are there before.
NEWS = {
    "sweep.sbatch": ("points/p/ckpt/latest", 'ln -sfn ckpt-000000002.h5 "$NEWS"'),
    "farm.sbatch": ("journal/importance-0of1.h5", 'echo row >"$NEWS"'),
}

# Words with which a script starts `program` or mpirun.
STOPPED = {
    "sweep.sbatch": [".", "program"],
    "farm.sbatch": ["program", "importance"],
    "slurm.sbatch": ["train", "c.yaml"],
    "mpirun.sh": ["--", "train", "c.yaml"],
}


def launch(script, words, variables=(), path=ROOT / "launch", **options):
    without = {k: v for k, v in os.environ.items() if not k.startswith("SLURM_")}
    return subprocess.run(["bash", f"{path}/{script}", *words], env={**without, **dict(variables)},
                          capture_output=True, text=True, timeout=120, check=False, **options)


def write_program(folder, name, text):
    file = Path(folder, name)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def first_of_path(folder):
    return {"PATH": f"{folder}:{os.environ['PATH']}", "HERE": str(folder)}


def text_of(file):
    return file.read_text() if file.exists() else None


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

    def test_a_name_in_cdpath_does_not_lead_elsewhere(self):
        with tempfile.TemporaryDirectory() as elsewhere:
            Path(elsewhere, "launch").mkdir()
            run = launch("mpirun.sh", ["-np", "2", *BENCH], {"CDPATH": elsewhere}, path="launch", cwd=ROOT)
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertIn("mpi, 2 ranks", run.stdout)

    def test_mpirun_hands_the_settings_of_nccl_to_all_hosts(self):
        with tempfile.TemporaryDirectory() as folder:
            write_program(folder, "mpirun", 'echo "$@" >>"$HERE/words"')
            variables = {**first_of_path(folder), "NCCL_SOCKET_IFNAME": "eth0", "NCCL_DEBUG": "INFO"}
            run = launch("mpirun.sh", ["-np", "2", *BENCH], variables)
            self.assertEqual(run.returncode, 0, run.stderr)
            for line in Path(folder, "words").read_text().splitlines():
                self.assertIn(" -x NCCL_DEBUG ", line)
                self.assertIn(" -x NCCL_SOCKET_IFNAME ", line)

    def test_a_training_asks_for_another_turn_until_it_failed_ten_times_in_a_row(self):
        for restarts, before, code, queued, after in TURNS_OF_A_TRAINING:
            with self.subTest(restarts=restarts, before=before, code=code), \
                    tempfile.TemporaryDirectory() as folder:
                write_program(folder, "scontrol", 'echo "$*" >>"$HERE/queued"')
                write_program(folder, "program", f"exit {code}")
                starts = Path(folder, "outerloop-1.starts")
                if before is not None:
                    starts.write_text(f"{before}\n")
                variables = {**first_of_path(folder), **JOB, "SLURM_RESTART_COUNT": str(restarts),
                             "OUTERLOOP": f"{folder}/program", "OUTERLOOP_LAUNCH": "env"}
                run = launch("slurm.sbatch", ["train", "c.yaml"], variables, cwd=folder)
                self.assertEqual(run.returncode, code, run.stderr)
                self.assertEqual(text_of(Path(folder, "queued")), "requeue 1\n" if queued else None)
                self.assertEqual(text_of(starts), None if after is None else f"{after}\n")

    def test_job_arrays_ask_for_another_turn_when_they_were_stopped_but_not_when_cancelled(self):
        for script, (name, write) in NEWS.items():
            for number, restarts, before, brings, queued, after in TURNS_OF_AN_ARRAY:
                with self.subTest(script=script, signal=number, restarts=restarts, before=before,
                                  brings=brings), tempfile.TemporaryDirectory() as folder:
                    news = Path(folder, name)
                    news.parent.mkdir(parents=True)
                    news.touch()
                    os.utime(news, (1, 1))
                    turns = Path(folder, f"{script.removesuffix('.sbatch')}-7.turns")
                    if before is not None:
                        turns.write_text(f"{before}\n")
                    # It has the file open, as the farm its journal.
                    write_program(folder, "program",
                                  f'exec 9>>"$NEWS"; sleep 0.1; {write if brings else ":"}\n'
                                  'trap "exit 75" USR1; touch "$HERE/begun"; '
                                  "while true; do sleep 0.05; done")
                    write_program(folder, "scontrol", 'echo "$*" >>"$HERE/queued"')
                    words = [folder, "program"] if script == "sweep.sbatch" else ["program", "importance"]
                    variables = {**os.environ, **first_of_path(folder), "NEWS": str(news),
                                 "SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": str(restarts)}
                    job = subprocess.Popen(["bash", ROOT / "launch" / script, *words], env=variables,
                                           cwd=folder, start_new_session=True)
                    self.addCleanup(end_group, job)
                    self.await_file(job, Path(folder, "begun"))
                    job.send_signal(number)
                    self.assertEqual(job.wait(timeout=60), 75)
                    self.assertEqual(text_of(Path(folder, "queued")), "requeue 7\n" if queued else None)
                    self.assertEqual(text_of(turns), None if after is None else f"{after}\n")

    # The worker ends while its script is held, which then hears of both the signal and the end.
    def test_a_worker_that_ends_at_the_signal_gives_its_code(self):
        for script, words in STOPPED.items():
            with self.subTest(script=script), tempfile.TemporaryDirectory() as folder:
                worker = ('trap "exit 75" USR1; echo $$ >"$HERE/pid"; mv "$HERE/pid" "$HERE/begun"; '
                          "while true; do sleep 0.05; done")
                write_program(folder, "program", worker)
                write_program(folder, "mpirun", f'case "$*" in *train*) {worker};; esac')
                write_program(folder, "scontrol", ":")
                variables = {**os.environ, **first_of_path(folder), **JOB,
                             "OUTERLOOP": f"{folder}/program", "OUTERLOOP_LAUNCH": "env"}
                job = subprocess.Popen(["bash", ROOT / "launch" / script, *words], env=variables,
                                       cwd=folder, start_new_session=True)
                self.addCleanup(end_group, job)
                begun = Path(folder, "begun")
                self.await_file(job, begun)
                job.send_signal(signal.SIGSTOP)
                job.send_signal(signal.SIGUSR1)
                pid = int(begun.read_text())
                os.kill(pid, signal.SIGUSR1)
                while " Z " not in Path(f"/proc/{pid}/stat").read_text():
                    time.sleep(0.01)
                job.send_signal(signal.SIGCONT)
                self.assertEqual(job.wait(timeout=60), 75)

    def await_file(self, process, file):
        end = time.monotonic() + 120
        while not file.exists():
            self.assertIsNone(process.poll(), "it ended at once")
            self.assertLess(time.monotonic(), end, f"no {file}")
            time.sleep(0.1)

    def test_a_signal_to_mpirun_stops_the_training_with_a_checkpoint(self):
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
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
