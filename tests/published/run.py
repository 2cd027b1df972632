#!/usr/bin/env python3
"""Reproduces published results, a row of the table at a time. See run.sh."""

import argparse
import datetime
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import letters
import rows as store
import table

STOPPED = 75  # outerloop's exit code for "stopped with a checkpoint, run me again"


def git(*words):
    """Empty outside a repository and without git."""
    try:
        return subprocess.run(["git", "-C", store.ROOT, *words], capture_output=True,
                              text=True).stdout.strip()
    except OSError:
        return ""


def commit():
    """Of the sources; a + says that they were changed since."""
    changed = git("status", "--porcelain", "--", "src", "include", "configs")
    return (git("rev-parse", "--short=10", "HEAD") or "unknown") + ("+" if changed else "")


def origin_of(row, seed, threads):
    """Where a run came from: written when it starts, kept when it goes on. The file's own time is
    when its present process began."""
    file = row.origin(seed)
    file.parent.mkdir(parents=True, exist_ok=True)
    folder, kept = row.folder(seed), row.kept(seed)
    begun = {file: store.checkpoints(folder / "ckpt") or (folder / "summary.json").exists(),
             kept / "origin.json": store.checkpoints(kept)}
    known = [place for place, is_begun in begun.items() if is_begun and place.exists()]
    origin = json.loads(known[0].read_text()) if known else {
        "commit": commit(), "date": datetime.date.today().isoformat(),
        "threads": threads or len(os.sched_getaffinity(0)), "wall_s": 0}
    store.write_text(file, json.dumps(origin))
    return origin


def train(row, seed, options, seconds_left):
    """Trains one seed to its end or to a stop; gives outerloop's exit code."""
    folder = row.folder(seed)
    command = [options.outerloop, "train", row.config_file, f"run_dir={folder}", f"seed={seed}",
               f"runtime.threads={options.threads}", "report.write=false", *row.overrides]
    kept = store.checkpoints(row.kept(seed))
    if kept and not store.checkpoints(folder / "ckpt"):
        command += ["--resume", kept[-1]]
    if seconds_left is not None:
        command += ["--max-wall", f"{max(1, int(seconds_left))}s"]
    print(f"{row.name} seed {seed}: {' '.join(map(str, command))}", file=sys.stderr, flush=True)
    # In its own session: a Ctrl-C reaches it once, through us.
    child = subprocess.Popen(command, start_new_session=True,
                             preexec_fn=lambda: os.nice(options.nice))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: child.send_signal(signal.SIGTERM))
    return child.wait()


def write_table(rows, results):
    store.save_results(results)
    store.write_text(store.TABLE, table.render(rows, results, store.load_peer(),
                                               store.load_baselines(), letters.load()))


def reproduce(row, rows, options, deadline):
    """Trains the seeds that are missing. Gives an exit code."""
    for seed in range(row.seeds):
        folder = row.folder(seed)
        if str(seed) in store.load_results().get(row.name, {"seeds": {}})["seeds"]:
            if not store.model_file(row).exists():
                keep_model(row, folder, options)
            continue
        origin = origin_of(row, seed, options.threads)
        code = 0
        if not (folder / "summary.json").exists():
            left = None if deadline is None else deadline - time.monotonic()
            started = time.monotonic()
            code = STOPPED if left is not None and left <= 0 else train(row, seed, options, left)
            origin["wall_s"] = round(origin["wall_s"] + time.monotonic() - started, 1)
            store.write_text(row.origin(seed), json.dumps(origin))
        if code == 0:
            keep_model(row, folder, options)
        with store.results_to_change() as results:
            entry = results.setdefault(row.name, {"seeds": {}})
            if code == 0:
                entry["seeds"][str(seed)] = store.summarise(folder, origin)
                entry.pop("progress", None)
                entry.pop("so_far", None)
            else:
                entry["progress"] = store.iterations_done(folder)
            write_table(rows, results)
        if code != 0:
            return code
        shutil.rmtree(row.kept(seed), ignore_errors=True)
    return 0


def keep_model(row, folder, options):
    """Of a classifier, from its run folder, which may be gone by now."""
    summary = folder / "summary.json"
    if row.is_regression or not summary.exists():
        return
    store.MODELS.mkdir(exist_ok=True)
    checkpoint = json.loads(summary.read_text())["checkpoint"]
    subprocess.run([options.outerloop, "ckpt", "export", checkpoint, store.model_file(row)],
                   check=True)


def missing_seed(row, results):
    """The first one, or None."""
    finished = results.get(row.name, {"seeds": {}})["seeds"]
    return next((seed for seed in range(row.seeds) if str(seed) not in finished), None)


def refresh(rows):
    """Notes how far unfinished rows are: where they run, or in what was kept of them."""
    with store.results_to_change() as results:
        for row in rows:
            seed = missing_seed(row, results)
            if seed is None:
                continue
            entry = results.setdefault(row.name, {"seeds": {}})
            entry["progress"] = max(store.iterations_done(row.folder(seed)),
                                    store.iterations_kept(row, seed))
            if not entry["seeds"] and not entry["progress"]:
                del results[row.name]
        write_table(rows, results)


def keep_unfinished(rows, options):
    """Puts aside what another machine needs to go on, the newest checkpoint and the best one, and
    tests classifiers as they are now."""
    results = store.load_results()
    unfinished = [(row, seed) for row in rows
                  if (seed := missing_seed(row, results)) is not None]
    for row, seed in unfinished:
        keep_seed(row.folder(seed), row.origin(seed), row.kept(seed))
    for row, seed in unfinished:
        kept = store.checkpoints(row.kept(seed))  # the best first, where there is one
        known = results.get(row.name, {}).get("so_far", {}).get("iterations")
        if row.is_regression or not kept or store.iterations_of(kept[0]) == known:
            continue
        so_far = reached(kept[0], options)
        with store.results_to_change() as newest:
            if so_far is not None and missing_seed(row, newest) == seed:
                newest.setdefault(row.name, {"seeds": {}})["so_far"] = so_far
                store.save_results(newest)
    refresh(rows)


def reached(checkpoint, options):
    """The test of a row, at a checkpoint. None: it failed, and has said why."""
    done = subprocess.run([options.outerloop, "eval", checkpoint, "--json"], stdout=subprocess.PIPE,
                          preexec_fn=lambda: os.nice(options.nice))
    if done.returncode != 0:
        print(f"{checkpoint}: not tested", file=sys.stderr)
        return None
    test = json.loads(done.stdout)
    point = test["curve"][-1]["accuracy"]
    return {"iterations": store.iterations_of(checkpoint), "tasks": test["tasks"],
            "mean": round(point["mean"], 6), "ci95": round(point["ci95"], 6)}


def keep_seed(folder, origin_file, kept):
    files = store.checkpoints(folder / "ckpt")[-1:]
    if not files or (kept / files[0].name).exists():
        return
    if (folder / "ckpt/best").exists():
        files.append((folder / "ckpt/best").resolve())
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    for file in set(files):
        shutil.copy(file, kept)
    origin = json.loads(origin_file.read_text())
    since_start = files[0].stat().st_mtime - origin_file.stat().st_mtime
    origin["wall_s"] += max(0, round(since_start, 1))
    store.write_text(kept / "origin.json", json.dumps(origin) + "\n")


def write_baselines(rows, options):
    """Of the tables that are there."""
    known = store.load_baselines()
    for table_name in dict.fromkeys(row.table for row in rows if row.table):
        mine = [row for row in rows if row.table == table_name]
        shots = ",".join(dict.fromkeys(row.shots for row in mine))
        found = subprocess.run([options.outerloop, "baselines", mine[0].config_file, "--shots",
                                shots, "--json"], capture_output=True, text=True)
        if found.returncode == 0:
            known[table_name] = json.loads(found.stdout)
            for of in known[table_name]["shots"].values():
                for loss in of["loss"].values():
                    loss["by_task"] = store.packed(loss["by_task"])
        else:
            print(f"{table_name}: {found.stderr.strip()}", file=sys.stderr)
    store.write_text(store.BASELINES, json.dumps(known, indent=1) + "\n")
    with store.results_to_change() as results:
        write_table(rows, results)


def print_list(rows):
    results = store.load_results()
    for row in rows:
        state = table.progress(row, results) or "finished"
        words = " ".join([f"configs/{row.config}.yaml", *row.overrides])
        print(f"{row.name:28} {state:28} {words}, {row.seeds} seed(s): {row.title}")


def parse(rows):
    parser = argparse.ArgumentParser(prog="tests/published/run.sh", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW")
    parser.add_argument("--all", action="store_true", help="every row, in the order of the list")
    parser.add_argument("--list", action="store_true", help="rows and how far they are")
    parser.add_argument("--table", action="store_true",
                        help="note how far unfinished rows are and write the table")
    parser.add_argument("--keep", action="store_true",
                        help="copy the checkpoints of unfinished rows to unfinished/, from where "
                        "another machine goes on, test classifiers and write the table")
    parser.add_argument("--baselines", action="store_true",
                        help="compute the tables' simple models again and write the table")
    parser.add_argument("--letters", metavar="FOLDER", type=pathlib.Path, nargs="?",
                        const=pathlib.Path(os.environ.get("OUTERLOOP_DATA", "")) / "glyphs",
                        help="test kept Omniglot models on printed letters and write the table; "
                        "without FOLDER: $OUTERLOOP_DATA/glyphs")
    parser.add_argument("--threads", type=int, default=0, help="0: every core")
    parser.add_argument("--nice", type=int, default=0, help="19: only what nothing else wants")
    parser.add_argument("--max-minutes", type=float, help="stop with a checkpoint after this time")
    parser.add_argument("--outerloop", help="program to run; default: build/release/outerloop, "
                        "built first")
    options = parser.parse_args()
    unknown = set(options.rows) - {row.name for row in rows}
    if unknown:
        parser.error(f"no row {', '.join(sorted(unknown))}; --list shows them")
    if not (options.rows or options.all or options.list or options.table or
            options.keep or options.baselines or options.letters):
        parser.error("name a row, or --all, --list, --table, --keep, --baselines, --letters")
    return options


def build():
    """The program, of the newest sources."""
    done = subprocess.run([store.ROOT / "tools/build.sh", "release", "outerloop"])
    if done.returncode != 0:
        sys.exit(done.returncode)
    return store.ROOT / "build/release/outerloop"


def main():
    rows = store.load_rows()
    options = parse(rows)
    if options.list:
        print_list(rows)
        return 0
    if options.table:
        refresh(rows)
        return 0
    options.outerloop = options.outerloop or build()
    if options.keep:
        keep_unfinished(rows, options)
        return 0
    if options.baselines:
        write_baselines(rows, options)
        return 0
    if options.letters:
        letters.measure(rows, options.outerloop, options.letters, commit())
        with store.results_to_change() as results:
            write_table(rows, results)
        return 0
    deadline = None
    if options.max_minutes is not None:
        deadline = time.monotonic() + 60 * options.max_minutes
    for row in rows:
        if options.all or row.name in options.rows:
            code = reproduce(row, rows, options, deadline)
            if code != 0:
                return code if code > 0 else 128 - code
    return 0


if __name__ == "__main__":
    sys.exit(main())
