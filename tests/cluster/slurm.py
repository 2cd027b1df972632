"""A Slurm of four nodes on this machine: munged, slurmctld and four slurmd, each of which is a host
of its own as far as it can see (name, processes, /tmp, /dev/shm)."""

import os
import re
import subprocess
from pathlib import Path

from places import PROJECT, WORK, await_that, call

NODES = ["n1", "n2", "n3", "n4"]
HOME = WORK / "slurm"
CONF = HOME / "slurm.conf"

CONFIG = """
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthInfo=socket={home}/munge.sock,cred_expire=5
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
JobRequeue=1
KillWait=5
MpiDefault=none
SlurmdParameters=config_overrides
SlurmdTimeout=10
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool/%n
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.%n.pid
SlurmctldLogFile={home}/slurmctld.log
SlurmdLogFile={home}/slurmd.%n.log
MailProg=/bin/true
SchedulerParameters=sched_interval=2,bf_interval=2
NodeName=n[1-4] NodeHostname=localhost NodeAddr=127.0.0.1 Port=[26901-26904] CPUs=2 RealMemory=1000
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""

# slurmd is not the first process, which has to take in orphans.
NODE = """
hostname "$1"
mount -t tmpfs none /tmp
mount -t tmpfs none /dev/shm
slurmd -D -f {conf} -N "$1" &
wait
"""


class Slurm:
    def __init__(self):
        for folder in ("state", "spool"):
            (HOME / folder).mkdir(parents=True)
        CONF.write_text(CONFIG.format(home=HOME))
        os.environ["SLURM_CONF"] = str(CONF)
        call("hostname", "localhost")
        call("ip", "link", "set", "lo", "up")
        # MPI leaves the loopback aside.
        call("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "peer0")
        call("ip", "address", "add", "10.77.0.1/24", "dev", "eth0")
        call("ip", "link", "set", "eth0", "up")
        call("ip", "link", "set", "peer0", "up")
        key = HOME / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        files = {"key-file": key, "socket": HOME / "munge.sock", "pid-file": HOME / "munged.pid",
                 "log-file": HOME / "munged.log", "seed-file": HOME / "munge.seed"}
        self.daemons = [self.start("munged", "--foreground", "--force", *(f"--{k}={v}" for k, v in files.items()))]
        await_that((HOME / "munge.sock").exists, 90, "munged listens", self.logs)
        self.daemons.append(self.start("slurmctld", "-D", "-f", CONF))
        self.nodes = {name: self.start_node(name) for name in NODES}
        await_that(lambda: self.states().count("idle") == len(NODES), 180, "four idle nodes",
                   lambda: f"{self.states()}\n{self.logs()}")

    @staticmethod
    def start(*words):
        with open(HOME / "daemons.out", "a", encoding="utf-8") as out:
            return subprocess.Popen([str(w) for w in words], stdin=subprocess.DEVNULL, stdout=out,
                                    stderr=out)

    def start_node(self, name):
        return self.start("unshare", "--mount", "--uts", "--ipc", "--pid", "--fork",
                          "--kill-child", "--mount-proc", "bash", "-c", NODE.format(conf=CONF),
                          "node", name)

    def kill_node(self, name):
        """With all that runs on it."""
        self.nodes[name].kill()
        self.nodes[name].wait()

    @staticmethod
    def states():
        run = subprocess.run(["sinfo", "-h", "-N", "-o", "%t"], capture_output=True, text=True,
                             check=False)
        return run.stdout.split()

    @staticmethod
    def logs():
        return "".join(f"== {f.name}\n{f.read_text()[-3000:]}"
                       for f in [*sorted(HOME.glob("*.log")), HOME / "daemons.out"])


class Job:
    """A shipped script in the queue."""

    def __init__(self, script, words, *options):
        self.out = WORK / f"{Path(script).name}-{os.urandom(4).hex()}.out"
        self.id = call("sbatch", "--parsable", f"--output={self.out}", *options, script,
                       *words).strip()

    def text(self):
        return self.out.read_text() if self.out.exists() else ""

    def starts(self):
        """Where slurm.sbatch keeps how many of its starts came before the last stop."""
        return PROJECT / f"outerloop-{self.id}.starts"

    def field(self, name):
        found = re.search(rf"\b{name}=(\S+)", call("scontrol", "show", "job", self.id))
        return found[1]

    def state(self):
        return self.field("JobState")

    def states(self):
        """Of each task of an array."""
        return re.findall(r"\bJobState=(\S+)", call("scontrol", "show", "job", self.id))

    def told(self):
        """What a failed test shows of it."""
        return f"{call('scontrol', 'show', 'job', self.id)}\n{self.text()}\n{Slurm.logs()}"

    def await_text(self, part, seconds):
        await_that(lambda: part in self.text(), seconds, f"the job says '{part}'", self.told)

    def await_end(self, seconds):
        ended = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
        return await_that(lambda: self.state() in ended and self.state(), seconds,
                          "the job has ended", self.told)
