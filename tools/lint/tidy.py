#!/usr/bin/env python3
"""Checks the C++ of src and tools with clang-tidy 14 (Debian 12): tools/lint/tidy.py [BUILD]

BUILD (build/release where not said) is a built tree: how its sources are compiled tells what they
see. Those that are compiled together are checked together, and headers with them. What clang 14 does
not compile, of a standard library and a language that are g++ 12's, is no complaint. Prints each
complaint once and exits 1 if there is any, 77 without clang-tidy 14.
"""

import concurrent.futures
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# What g++ alone understands, with the number of words that follow: its precompiled headers and names
# of warnings.
OF_GCC = {"-include": 1, "-Winvalid-pch": 0, "-Wno-restrict": 0, "-Wno-stringop-overflow": 0,
          "-Wno-subobject-linkage": 0}

# Sources that are compiled together include one another.
BESIDE_CONFIG = "-bugprone-suspicious-include"


def clang_tidy():
    for name in ("clang-tidy-14", "clang-tidy"):
        program = shutil.which(name)
        if program and "version 14." in subprocess.run(
                [program, "--version"], capture_output=True, text=True, check=True).stdout:
            return program
    print("tidy.py:1: Skipped\nno clang-tidy 14, which .clang-tidy is for")
    sys.exit(77)


def for_clang(command):
    words, kept = iter(shlex.split(command)), []
    for word in words:
        if word in OF_GCC:
            for _ in range(OF_GCC[word]):
                next(words)
        else:
            kept.append(word)
    return kept


def units(build):
    places = [f"{build}/src/", f"{ROOT}/src/", f"{ROOT}/tools/"]
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if any(entry["file"].startswith(place) for place in places):
            yield {"directory": entry["directory"], "file": entry["file"],
                   "arguments": for_clang(entry["command"])}


def complaints(program, database, unit):
    """Each with the lines that explain it."""
    done = subprocess.run(
        [program, "--quiet", f"--config-file={ROOT}/.clang-tidy", f"--checks={BESIDE_CONFIG}",
         "-p", database, unit["file"]], capture_output=True, text=True)
    parts = re.split(r"^(?=\S+:\d+:\d+: error: |error: )", done.stdout, flags=re.MULTILINE)
    found = [part for part in parts if part.strip() and "[clang-diagnostic-" not in part]
    if done.returncode != 0 and not done.stdout:
        found = [f"{unit['file']}: clang-tidy failed: {done.stderr}"]
    return found


def main():
    build = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "release").resolve()
    if not (build / "compile_commands.json").is_file():
        sys.exit(f"tidy.py: no compile_commands.json in {build}; tools/build.sh release makes it")
    program = clang_tidy()
    todo = list(units(build))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "compile_commands.json").write_text(json.dumps(todo))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            found = pool.map(lambda unit: complaints(program, folder, unit), todo)
            unique = dict.fromkeys(part for parts in found for part in parts)
    for part in unique:
        print(part.replace(f"{ROOT}/", ""), end="")
    print(f"{len(todo)} units, {len(unique)} complaint{'s' if len(unique) != 1 else ''}")
    sys.exit(1 if unique else 0)


if __name__ == "__main__":
    main()
