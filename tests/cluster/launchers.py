"""Where the fault campaign trains: under mpirun on hosts, and under Slurm. Both start the scripts of
launch/ as they are, and can lose a machine and get it back."""

import os
import signal
import subprocess
from pathlib import Path

from places import PROGRAM, PROJECT, WORK, call

SILENCE = "--rank-silence=6s"


def ranks():
    """The processes of the training that runs here, by rank."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            if words[0] != os.fsencode(PROGRAM):
                continue
            variables = dict(entry.partition(b"=")[::2]
                             for entry in (process / "environ").read_bytes().split(b"\0"))
            rank = variables.get(b"OMPI_COMM_WORLD_RANK", variables.get(b"PMIX_RANK"))
            found[int(rank)] = int(process.name)
        except (OSError, TypeError):  # it has ended, or is the one undisturbed process
            continue
    return found


class Started:
    """By mpirun, with what it says in a file."""

    def __init__(self, words, settings):
        self.out = WORK / f"{os.urandom(4).hex()}.out"
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen([str(w) for w in words], env={**os.environ, **settings},
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def code(self):
        """None: it still runs."""
        return self.process.poll()

    def text(self):
        return self.out.read_text(errors="replace")

    def end(self):
        self.process.kill()
        self.process.wait()


class Mpirun:
    name = "mpirun"
    commands = ["mpirun", "ip", "unshare", "nsenter"]
    most_ranks = 3
    deadline = 60  # seconds from a fault to the end of all processes

    def __init__(self):
        from hosts import HOSTS, Hosts  # inside namespaces alone
        self.names = HOSTS
        self.hosts = Hosts()

    def start(self, run, count):
        words = [*self.hosts.on("h1"), PROJECT / "launch/mpirun.sh", "--hostfile",
                 self.hosts.file(self.names[:count]), "--", *run.words(), SILENCE]
        self.started = Started(words, self.hosts.settings)
        return self.started

    def kill_machine(self, name):
        if name == "h1":  # mpirun and its own rank know the host's network and name alone
            for line in self.hosts.running([name]):
                os.kill(int(line.split()[1]), signal.SIGKILL)
        self.hosts.kill(name)

    def start_machine(self, name):
        self.hosts.start(name)

    def set_link(self, name, state):
        self.hosts.set_link(name, state)


class Submitted:
    """To the queue, which is not to start it again by itself."""

    def __init__(self, run, count):
        from slurm import Job
        self.job = Job(PROJECT / "launch/slurm.sbatch", [*run.words(), SILENCE], f"--nodes={count}",
                       "--no-requeue", "--time=10")

    def code(self):
        if self.job.state() in ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING"):
            return None
        code, stopped_by = map(int, self.job.field("ExitCode").split(":"))
        lost = self.job.state() == "NODE_FAIL"  # with the exit code 0
        return 1 if lost else code or 128 * (stopped_by > 0) + stopped_by

    def text(self):
        return self.job.text()

    def end(self):
        call("scancel", self.job.id)


class Slurm:
    name = "slurm"
    commands = ["munged", "slurmctld", "slurmd", "sbatch", "srun", "ip", "unshare"]
    most_ranks = 4
    deadline = 90  # Slurm itself needs 10 to 30 s to miss a node

    def __init__(self):
        from slurm import Slurm as Daemons
        self.slurm = Daemons()

    def start(self, run, count):
        return Submitted(run, count)

    def kill_machine(self, name):
        self.slurm.kill_node(name)

    def start_machine(self, name):
        self.slurm.nodes[name] = self.slurm.start_node(name)


LAUNCHERS = {place.name: place for place in (Mpirun, Slurm)}
