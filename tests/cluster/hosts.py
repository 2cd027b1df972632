"""Three hosts on this machine, with a network between them whose links can be cut. mpirun reaches
them through a stand-in for ssh."""

import os
import subprocess
from pathlib import Path

from places import PROGRAM, WORK, await_that, call

HOSTS = ["h1", "h2", "h3"]
HOME = WORK / "hosts"

# The first process of a host takes in orphans; it is told the name by its first word.
HOST = """
hostname "$1"
mount -t tmpfs none /tmp
mount -t tmpfs none /dev/shm
ip link set lo up
echo ready >{home}/"$1".ready
while :; do sleep 1000; done
"""

# mpirun calls it as: [options] HOST COMMAND… The root is a host's own where this is a chroot.
SHELL = """#!/usr/bin/env bash
while [[ $1 == -* ]]; do shift; done
host=$1
shift
exec nsenter -t "$(cat {home}/"$host".pid)" -a -r -- bash -c "cd $PWD; $*"
"""


class Hosts:
    def __init__(self):
        HOME.mkdir()
        names = HOME / "hosts"
        names.write_text("127.0.0.1 localhost\n" + "".join(
            f"{self.address(name)} {name}\n" for name in HOSTS))
        call("mount", "--bind", names, "/etc/hosts")
        shell = HOME / "shell"
        shell.write_text(SHELL.format(home=HOME))
        shell.chmod(0o755)
        # For --rank-silence=6s what launch/env.sh has for 30 s.
        self.settings = {"OMPI_MCA_plm_rsh_agent": str(shell), "OMPI_MCA_plm_rsh_no_tree_spawn": "1",
                         "OMPI_MCA_oob_tcp_keepalive_time": "1",
                         "OMPI_MCA_oob_tcp_keepalive_intvl": "5",
                         "OMPI_MCA_oob_tcp_keepalive_probes": "1"}
        call("ip", "link", "set", "lo", "up")
        call("ip", "link", "add", "name", "switch", "type", "bridge")
        call("ip", "link", "set", "switch", "up")
        self.processes = {}
        for name in HOSTS:
            self.start(name)

    @staticmethod
    def address(name):
        return f"10.77.0.{name[1:]}"

    def start(self, name):
        ready = HOME / f"{name}.ready"
        ready.unlink(missing_ok=True)
        self.processes[name] = subprocess.Popen(
            ["unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child",
             "--mount-proc", "bash", "-c", HOST.format(home=HOME), "host", name],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        await_that(ready.exists, 90, f"{name} is up")
        outside = self.processes[name].pid
        first = call("cat", f"/proc/{outside}/task/{outside}/children").split()[0]
        (HOME / f"{name}.pid").write_text(first)
        # The kernel takes its time with the link of a host that was killed; its end must not go
        # before the last words of the connections through it.
        subprocess.run(["ip", "link", "delete", f"to-{name}"], capture_output=True, check=False)
        # With its old hardware address: the others know it for a minute.
        call("ip", "link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0",
             "address", f"02:00:00:00:00:0{name[1:]}", "netns", first)
        call("ip", "link", "set", f"to-{name}", "master", "switch", "up")
        inside = ["nsenter", "-t", first, "--net", "--"]
        call(*inside, "ip", "address", "add", f"{self.address(name)}/24", "dev", "eth0")
        call(*inside, "ip", "link", "set", "eth0", "up")

    def on(self, name):
        """Words that run a command there."""
        first = (HOME / f"{name}.pid").read_text()
        return ["nsenter", "-t", first, "--net", "--uts", "--"]

    def running(self, names=HOSTS):
        """What runs there beside what makes it a host, a line each."""
        found = []
        for name in names:
            first = Path("/proc", (HOME / f"{name}.pid").read_text())
            own = {str(self.processes[name].pid), first.name}
            for process in (p for p in Path("/proc").iterdir() if p.name.isdigit()):
                try:
                    state, parent = (process / "stat").read_text().rpartition(")")[2].split()[:2]
                    words = (process / "cmdline").read_text().replace("\0", " ").strip()
                    inside = os.readlink(process / "ns/net") == os.readlink(first / "ns/net")
                except OSError:  # it has ended, or the host has
                    continue
                sleeps = parent == first.name and words.startswith("sleep ")
                if inside and process.name not in own and not sleeps:
                    found.append(f"{name}: {process.name} {state} {words}")
        return found

    def await_without(self, word, names):
        """Until nothing with that word is left there of an earlier run."""
        def left():
            return [line for line in self.running(names) if word in line]
        await_that(lambda: not left(), 180, f"no '{word}' on {names}", lambda: "\n".join(left()))

    def signal_rank(self, name, signal):
        for line in self.running([name]):
            if f"{PROGRAM} " in line and "mpirun" not in line:
                os.kill(int(line.split()[1]), signal)

    def kill(self, name):
        self.processes[name].kill()
        self.processes[name].wait()

    @staticmethod
    def set_link(name, state):
        call("ip", "link", "set", f"to-{name}", state)

    @staticmethod
    def file(names):
        file = HOME / ("-".join(names) + ".txt")
        file.write_text("".join(f"{name} slots=1\n" for name in names))
        return file
