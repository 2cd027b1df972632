#!/usr/bin/env python3
"""Checks who includes whom: tools/lint/layers.py [ROOT]

A module may include the modules named beside it below and what those may include. Public headers
(include/outerloop) include public headers alone; a private header (src/<module>) is for its own
module and that module's tests. Each foreign library has its places. CMake links obey the same table.
Prints one line per offence and exits 1 if there is any.
"""

import re
import sys
from pathlib import Path

MAY_INCLUDE = {
    "base": [],
    "tensor": ["base"],
    "config": ["base"],
    "ir": ["tensor"],
    "ops": ["ir"],
    "autodiff": ["ops"],
    "passes": ["ops"],
    "exec": ["passes"],
    "comm": ["tensor"],
    "io": ["tensor"],
    "nn": ["ops", "config"],
    "optim": ["ops", "config"],
    "data": ["io", "config"],
    "meta": ["nn", "optim", "autodiff"],
    "checkpoint": ["io", "comm"],
    "farm": ["io", "comm"],
    "train": ["meta", "exec", "passes", "data", "checkpoint"],
    "interp": ["train", "farm"],
    "trust": ["meta", "exec", "data", "checkpoint", "farm"],
    "search": ["meta", "exec", "data", "checkpoint", "farm"],
    "sweep": ["train", "farm"],
    "report": ["train", "interp", "trust", "search", "sweep"],
    "cli": ["report"],
}

# What a foreign include looks like, and the folders below src/ that may hold it.
FOREIGN = [
    (r"hdf5", ["io"]),
    (r"xbyak/", ["exec/cpu"]),
    (r"mpi\.h", ["comm/mpi"]),
    (r"nccl", ["comm/nccl"]),
    (r"cuda|cublas|nvrtc", ["exec/cuda"]),
    (r"yaml-cpp/", ["config", "interp", "sweep"]),
    (r"CLI/", ["cli"]),
    (r"Random123/", ["base"]),
    (r"xxh", ["base"]),
    (r"zip\.h|png\.h|jpeglib\.h", ["data", "io"]),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
LINKED = re.compile(r"\bouterloop::(\w+)")
SOURCES = {".h", ".cpp", ".cu", ".cuh"}


def reachable(module):
    """Every module that `module` may include, itself among them."""
    found, waiting = set(), [module]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting += MAY_INCLUDE[current]
    return found


def sources_below(folder):
    return sorted(p for p in folder.rglob("*") if p.suffix in SOURCES)


def foreign_offence(name, place):
    """Why `place` (a path below src/, or None outside it) may not include <name>, or None."""
    for pattern, folders in FOREIGN:
        if re.match(pattern, name):
            allowed = place and any(place == f or place.startswith(f + "/") for f in folders)
            return None if allowed else f"<{name}> belongs to src/{', src/'.join(folders)}"
    return None


def check_module_file(path, module, place, is_public):
    allowed = reachable(module)
    for _, name in INCLUDE.findall(path.read_text()):
        parts = name.split("/")
        if parts[0] == "outerloop":
            if parts[1] not in allowed:
                yield f"module {module} may not include {name}"
        elif parts[0] in MAY_INCLUDE:
            if is_public:
                yield f"a public header may not include the private {name}"
            elif parts[0] != module:
                yield f"{name} is private to module {parts[0]}"
        else:
            offence = foreign_offence(name, place)
            if offence:
                yield offence


def check_test_file(path, module, root):
    for _, name in INCLUDE.findall(path.read_text()):
        owner = name.split("/")[0]
        if owner in MAY_INCLUDE and owner != module and (root / "src" / name).exists():
            yield f"{name} is private to module {owner}"


def check_links(path, module):
    for linked in LINKED.findall(path.read_text()):
        if linked in MAY_INCLUDE and linked not in reachable(module):
            yield f"module {module} may not link outerloop::{linked}"


def check_modules(root, top, is_public):
    for folder in sorted(p for p in (root / top).iterdir() if p.is_dir()):
        module = folder.name
        if module not in MAY_INCLUDE:
            yield folder, f"module {module} is missing from the table in layers.py"
            continue
        for path in sources_below(folder):
            place = None if is_public else path.parent.relative_to(root / top).as_posix()
            yield from ((path, o) for o in check_module_file(path, module, place, is_public))
        links = folder / "CMakeLists.txt"
        if links.exists():
            yield from ((links, o) for o in check_links(links, module))


def check_tree(root):
    yield from check_modules(root, "include/outerloop", is_public=True)
    yield from check_modules(root, "src", is_public=False)
    for path in sources_below(root / "tests"):
        module = path.relative_to(root / "tests").parts[0]
        yield from ((path, o) for o in check_test_file(path, module, root))


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2]).resolve()
    offences = [f"{path.relative_to(root)}: {what}" for path, what in check_tree(root)]
    for offence in offences:
        print(offence)
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
