#!/usr/bin/env python3
"""Prints how large the code is and which files have grown long: tools/lint/sizes.py [ROOT]

It does not judge. Past 300 lines for a header and 500 for a source, look for the second story.
"""

import sys
from pathlib import Path

LONG = {".h": 300, ".cpp": 500, ".cu": 500, ".py": 500, ".sh": 150}


def lines_in(path):
    return len(path.read_text().splitlines())


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2]).resolve()
    rows, long_files = {}, []
    for top in ("include", "src", "tests", "tools", "launch"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix not in LONG:
                continue
            parts = path.relative_to(root).parts
            module = parts[2] if top == "include" else parts[1] if len(parts) > 2 else top
            count = lines_in(path)
            rows.setdefault((top, module), []).append(count)
            if count > LONG[path.suffix]:
                long_files.append((count, path.relative_to(root).as_posix()))

    print(f"{'folder':<28}{'files':>6}{'lines':>8}{'median':>8}{'longest':>8}")
    for (top, module), counts in rows.items():
        median = sorted(counts)[len(counts) // 2]
        name = top if module == top else f"{top}/{module}"
        print(f"{name:<28}{len(counts):>6}{sum(counts):>8}{median:>8}{max(counts):>8}")
    every = [count for counts in rows.values() for count in counts]
    print(f"{'all':<28}{len(every):>6}{sum(every):>8}")
    for count, name in sorted(long_files, reverse=True):
        print(f"long: {name} ({count} lines)")


if __name__ == "__main__":
    main()
