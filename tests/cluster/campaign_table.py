"""The results of the fault campaign as a page."""

from collections import defaultdict

from faulted import EVERY
from faults import FAULTS
from launchers import LAUNCHERS

PAGE = """# Fault campaign

    {command}

{done} of {asked} faults are done, the last on {date}; commits of the program: {commits}.

Each training meets {each} faults at random times, one after the other. After each it starts again
on another number of ranks, and at last it ends undisturbed. Its last checkpoint is compared byte for
byte with that of one process that nothing disturbed. A checkpoint is due every {every} iterations.
A fault fails when its training still runs after {deadlines},
ends with the exit code of a success, loses more than an interval, or has other bytes in the end.
Two things may cost one interval more: a checkpoint that was being written or found the disk full,
and a damage to the newest checkpoint, which must be told. Where one rank or host was hit, the table
also counts how often the first line of error names it; nobody is left to tell of the host that
mpirun or the script of the job ran on. Training goes on while a checkpoint is written, and waits for
it only where the next one is due: so the one being written and one interval are lost at most.

| fault | under | faults | equal bytes | most lost | most lost while writing | longest end | named | failed |
|---|---|---:|---:|---:|---:|---:|---:|---:|
{rows}

{failures}Starts that ended by themselves before any fault and were repeated, as MPI itself fails now and
then (README, "Where to run it"): {failed_starts}.

## Damaged checkpoints

Read after each damage; every one must be refused by name.

| damage | checkpoints | accepted or wrongly told |
|---|---:|---:|
{damages}
"""

DAMAGES = {"EveryFlippedBitIsRefused": "one flipped bit",
           "EveryDroppedPageIsRefused": "pages of zeros or of an older file",
           "EveryTruncationIsRefusedByName": "truncation",
           "RandomBytesAreRefused": "random bytes"}


def row(kind, launcher, faults):
    def most(values):
        return max(values, default="–")
    named = [fault["named"] for fault in faults if "named" in fault]
    lost = [(fault.get("lost", 0), fault["writing"]) for fault in faults if "writing" in fault]
    cells = [kind, launcher, len(faults), sum(fault.get("equal", False) for fault in faults),
             most(count for count, writing in lost if not writing),
             most(count for count, writing in lost if writing),
             f"{most(fault['seconds'] for fault in faults)} s",
             f"{sum(named)} of {len(named)}" if named else "–",
             sum(bool(fault["bad"]) for fault in faults)]
    return f"| {' | '.join(map(str, cells))} |"


def rows(courses):
    cells = defaultdict(list)
    for course in courses:
        for fault in course["faults"]:
            cells[fault["kind"], course["launcher"]].append(fault)
    lines = [row(kind, launcher, cells[kind, launcher])
             for launcher in LAUNCHERS for kind in FAULTS if cells[kind, launcher]]
    return lines + [row("all", "both", [fault for faults in cells.values() for fault in faults])]


def failures(courses):
    lines = [f"- {course['launcher']} {course['training']}: "
             + "; ".join([*(f"{fault['kind']} ({fault.get('hit')}): {', '.join(fault['bad'])}"
                            for fault in course["faults"] if fault["bad"]),
                          *([course["broke"]] if course["broke"] else [])])
             for course in courses
             if course["broke"] or any(fault["bad"] for fault in course["faults"])]
    return "\n".join(["What failed:\n", *lines, "\n"]) if lines else ""


def damages(courses):
    rounds = [course for course in courses if course["launcher"] == "damage"]
    lines = []
    for test, words in DAMAGES.items():
        count = sum(course["trials"].get(test, 0) for course in rounds)
        wrong = sum(test in course["broke"] for course in rounds)
        lines.append(f"| {words} | {count} | {wrong} |")
    return lines


def write_table(file, courses, command, asked, date):
    each = max((len(course["faults"]) for course in courses), default=0)
    deadlines = " or ".join(f"{place.deadline} s under {name}"
                            for name, place in LAUNCHERS.items())
    file.write_text(PAGE.format(
        command=command, date=date, asked=asked, each=each,
        done=sum(len(course["faults"]) for course in courses), every=EVERY, deadlines=deadlines,
        commits=", ".join(sorted({course["commit"] for course in courses})),
        rows="\n".join(rows(courses)), failures=failures(courses),
        failed_starts=sum(len(course.get("failed_starts", [])) for course in courses),
        damages="\n".join(damages(courses))), encoding="utf-8")
