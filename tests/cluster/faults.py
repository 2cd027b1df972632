"""What can befall a training: each kind strikes while it runs; some leave something to mend, or to
damage, between its end and the next start."""

import errno
import os
import signal
from typing import Callable, NamedTuple

from launchers import ranks

PAGE = 4096


class Scene(NamedTuple):
    launcher: object
    run: object
    random: object
    disk: object  # the folder of a small file system that holds the run


class Fault(NamedTuple):
    strike: Callable  # scene → what was hit
    after: Callable = lambda scene, hit: None  # … → more on what was hit, if anything
    damages: bool = False  # the newest checkpoint: one more interval is lost
    has_name: bool = False  # what was hit is a rank or a host
    launchers: tuple = ("mpirun", "slurm")


def signal_one(which):
    def strike(scene):
        rank, process = scene.random.choice(sorted(ranks().items()))
        os.kill(process, which)
        return f"rank {rank}"
    return strike


def kill_all(_):
    for process in ranks().values():
        os.kill(process, signal.SIGKILL)
    return "all ranks"


def kill_machine(scene):
    name = scene.random.choice(scene.run.hosts())
    scene.launcher.kill_machine(name)
    return name


def cut_link(scene):
    name = scene.random.choice(scene.run.hosts())
    scene.launcher.set_link(name, "down")
    return name


def fill_disk(scene):
    with open(scene.disk / "filler", "wb", buffering=0) as filler:
        for size in (1 << 16, 1):
            try:
                while filler.write(b"x" * size):
                    pass
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    return "no byte left"


def tear(scene, _):
    """What a power cut leaves of a file whose pages had not all reached the disk."""
    file = scene.run.checkpoints()[-1]
    data = bytearray(file.read_bytes())
    if scene.random.random() < 0.5:
        left = scene.random.randrange(len(data))
        file.write_bytes(data[:left])
        return f"{file.name} cut to {left} of {len(data)} bytes"
    pages = [at for at in range(0, len(data), PAGE) if any(data[at:at + PAGE])]
    at = scene.random.choice(pages)
    data[at:at + PAGE] = bytes(len(data[at:at + PAGE]))
    file.write_bytes(data)
    return f"{file.name} without its page at {at}"


def flip_bit(scene, _):
    file = scene.run.checkpoints()[-1]
    data = bytearray(file.read_bytes())
    at, bit = scene.random.randrange(len(data)), scene.random.randrange(8)
    data[at] ^= 1 << bit
    file.write_bytes(data)
    return f"{file.name} bit {bit} of byte {at}"


FAULTS = {
    "kill one rank": Fault(signal_one(signal.SIGKILL), has_name=True),
    "kill all ranks": Fault(kill_all),
    "stop one rank": Fault(signal_one(signal.SIGSTOP), has_name=True),
    "host kill": Fault(kill_machine, lambda scene, name: scene.launcher.start_machine(name),
                       has_name=True),
    "link down": Fault(cut_link, lambda scene, name: scene.launcher.set_link(name, "up"),
                       launchers=("mpirun",)),  # the nodes of the test's Slurm share one network
    "full disk": Fault(fill_disk, lambda scene, _: (scene.disk / "filler").unlink()),
    "torn write": Fault(kill_all, tear, damages=True),
    "bit flip": Fault(kill_all, flip_bit, damages=True),
}
