"""What the tests of this folder share: namespaces of their own, processes, waiting.

Each test program runs itself again inside new namespaces (mounts, processes, network, host name), so
that it can start daemons and hosts at will: nothing of it is seen outside, and all of it ends with
the program, however that ends.
"""

import json
import os
import shutil
import subprocess
import sys
import time
import unittest
from pathlib import Path

SKIPPED = 77  # exit code for CTest
SOURCE = Path(__file__).resolve().parents[2]
BASE = Path("/mnt")  # a file system of our own inside
PROJECT = BASE / "project"  # the sources, at a place that private /tmp folders do not hide
BUILD = BASE / "build/release"  # launch/ lies beside as in the source tree
WORK = BASE / "work"
PROGRAM = BUILD / "outerloop"
NAMESPACES = ["unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child",
              "--mount-proc"]
# Ranks that wait leave the cores to the others: there are more of them than cores.
os.environ.update(OUTERLOOP=str(PROGRAM), OMPI_MCA_mpi_yield_when_idle="1",
                  OMPI_MCA_btl_tcp_if_include="eth0", OMPI_MCA_oob_tcp_if_include="eth0")


def skip(reason):
    print(f"{sys.argv[0]}:1: Skipped\n{reason}")
    sys.exit(SKIPPED)


def enter(commands):
    """Goes on inside, or skips. The first word of the program is the build folder."""
    if os.environ.get("OUTERLOOP_INSIDE") == "1":
        return prepare()
    for command in commands:
        if not shutil.which(command, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            skip(f"no {command}; to run this test: tools/packages.sh --cluster")
    if BASE in [*SOURCE.parents, *Path(sys.argv[1]).resolve().parents]:
        skip(f"the sources or the build lie below {BASE}, which these tests cover")
    trial = (f"mount -t tmpfs none {BASE} && ip link set lo up && "
             "ip link add name bridge0 type bridge && ip link add name one type veth peer name two")
    allowed = subprocess.run([*NAMESPACES, "sh", "-c", trial], capture_output=True, text=True,
                             check=False, env=os.environ | {"PATH": os.environ["PATH"] +
                                                            ":/usr/sbin:/sbin"})
    if allowed.returncode != 0:
        skip(f"no namespaces here ({allowed.stderr.strip()}); run as root, in a container with "
             "CAP_SYS_ADMIN and CAP_NET_ADMIN")
    os.environ["OUTERLOOP_INSIDE"] = "1"
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    os.execvp(NAMESPACES[0], [*NAMESPACES, sys.executable, *sys.argv])


def prepare():
    build = Path(sys.argv.pop(1)).resolve()
    call("mount", "-t", "tmpfs", "none", BASE)
    launch = SOURCE / "launch"
    for folder, seen in ((SOURCE, PROJECT), (build, BUILD), (launch, BASE / "launch")):
        seen.mkdir(parents=True)
        call("mount", "--bind", folder, seen)
    WORK.mkdir()
    os.chdir(PROJECT)


def call(*words, **options):
    """The standard output; an error shows what the command said."""
    run = subprocess.run([str(w) for w in words], capture_output=True, text=True, check=False,
                         **options)
    if run.returncode != 0:
        raise RuntimeError(f"{words}: exit code {run.returncode}\n{run.stdout}{run.stderr}")
    return run.stdout


def patience(seconds):
    """So long on cores of one's own; where others want them too, as much longer."""
    return seconds * max(1.0, os.getloadavg()[0] / os.cpu_count())


def await_that(happened, seconds, what, context=lambda: ""):
    """The first true value of `happened`, asked again and again."""
    begin = time.monotonic()
    while time.monotonic() - begin < patience(seconds):
        if value := happened():
            return value
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s: {what}\n{context()}")


class Training:
    """A run whose length is written into its config when it is known."""

    ENDLESS = 1_000_000_000
    every = 50  # iterations between checkpoints
    tasks = 4  # of an iteration

    def __init__(self, name, place=WORK):
        self.folder = place / name
        self.config = WORK / f"{name}.yaml"
        self.set_iterations(self.ENDLESS)

    def set_iterations(self, count):
        text = (PROJECT / "configs/sinusoid_maml.yaml").read_text()
        assert "iterations: 70000" in text
        new = self.config.with_suffix(".new")
        new.write_text(text.replace("iterations: 70000", f"iterations: {count}"))
        new.rename(self.config)
        self.iterations = count

    def words(self, folder=None):
        return ["train", str(self.config), f"run_dir={folder or self.folder}",
                f"checkpoint.every={self.every}", f"outer.meta_batch={self.tasks}",
                "validation.every=0", "test.tasks=20", "report.write=false", "runtime.threads=1"]

    def checkpoints(self):
        return sorted((self.folder / "ckpt").glob("ckpt-*.h5"))

    def newest(self):
        """The iteration of the newest checkpoint; -1: none."""
        return max((int(f.stem.removeprefix("ckpt-")) for f in self.checkpoints()), default=-1)

    def hosts(self):
        return json.loads((self.folder / "manifest.json").read_text())["hosts"]

    def log(self):
        return "".join(f.read_text() for f in sorted((self.folder / "log").glob("*")))

    def has_bytes_of_an_undisturbed_run(self):
        """The same config on one process from start to end gives the same newest checkpoint."""
        whole = WORK / f"{self.folder.name}-whole"
        call(PROGRAM, *self.words(whole))
        mine = self.checkpoints()[-1]
        same = mine.read_bytes() == (whole / "ckpt" / mine.name).read_bytes()
        shutil.rmtree(whole)
        return same

    def expect_bytes_of_an_undisturbed_run(self, test):
        test.assertTrue(self.has_bytes_of_an_undisturbed_run())


def main():
    unittest.main(argv=sys.argv, verbosity=2)
