#!/usr/bin/env python3
"""Checks the C++ of src and tools with clang-tidy 14 (Debian 12): tools/lint/tidy.py [BUILD]

BUILD (build/release where not said) is a built tree: how its sources are compiled tells what they
see. Those that are compiled together are checked together, and headers with them. Prints each
complaint once and exits 1 if there is any, 77 without clang-tidy 14. Sources and standard library are
g++ 12's: what clang 14 does not compile of them is counted, and is no complaint.
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
    """Without g++'s precompiled header."""
    words, kept = iter(shlex.split(command)), []
    for word in words:
        if word == "-include":
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


def errors(program, database, unit):
    """Each with the lines that explain it."""
    done = subprocess.run(
        [program, "--quiet", f"--config-file={ROOT}/.clang-tidy", f"--checks={BESIDE_CONFIG}",
         "--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-ferror-limit=0",
         "-p", database, unit["file"]], capture_output=True, text=True)
    parts = re.split(r"^(?=\S+:\d+:\d+: error: |error: )", done.stdout, flags=re.MULTILINE)
    found = [part for part in parts if part.strip()]
    if done.returncode != 0 and not found:
        found = [f"{unit['file']}: clang-tidy failed: {done.stderr}"]
    return found


def is_of_clang(error):
    """Whether it is clang that says so, and goes on."""
    return "[clang-diagnostic-" in error and "file not found" not in error


def main():
    build = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "release").resolve()
    if not (build / "compile_commands.json").is_file():
        sys.exit(f"tidy.py: no compile_commands.json in {build}; tools/build.sh release makes it")
    program = clang_tidy()
    todo = list(units(build))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "compile_commands.json").write_text(json.dumps(todo))
        with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            found = pool.map(lambda unit: errors(program, folder, unit), todo)
            unique = dict.fromkeys(part for parts in found for part in parts)
    complaints = [part for part in unique if not is_of_clang(part)]
    for part in complaints:
        print(part.replace(f"{ROOT}/", ""), end="")
    print(f"units: {len(todo)}, complaints: {len(complaints)}, "
          f"errors of clang alone: {len(unique) - len(complaints)}")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
