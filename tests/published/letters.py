"""The shipped Omniglot models on printed letters: accuracy, and what the middle of an image is worth.

Data: a folder with images-idx3-ubyte.gz, labels-idx1-short.gz (IDX) and classes.csv.gz (class, name,
split, …): 28 x 28, ink high, 12 images a letter. Written to letters.json."""

import datetime
import json
import shutil
import subprocess

import rows as store

FILE = store.HERE / "letters.json"
SQUARE = 7  # pixels of a side: 4 x 4 squares of an image
MIDDLE = (5, 6, 9, 10)  # of them, row by row
IMPORTANCE_TASKS = 300


def load():
    """{row name: {"accuracy", "ci95", "tasks", "squares": {"omniglot": …, "letters": …}, …}}"""
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def import_letters(outerloop, source):
    target = store.RUNS / "letters.h5"
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([outerloop, "data", "import", "idx", source / "images-idx3-ubyte.gz",
                    source / "labels-idx1-short.gz", "--classes", source / "classes.csv.gz",
                    "--out", target], check=True)
    return [f"tasks.dataset={target}", "tasks.split=table"]


def squares(outerloop, model, words, out):
    """Fall of the accuracy by each middle square in the queries, and half of its joint band."""
    shutil.rmtree(out, ignore_errors=True)  # a journal does not know which program wrote it
    subprocess.run([outerloop, "importance", model, *words, "--patch", str(SQUARE), "--tasks",
                    str(IMPORTANCE_TASKS), "--metrics", "accuracy", "--estimands", "query",
                    "--out", out], check=True, stdout=subprocess.DEVNULL)
    found = json.loads((out / "importance.json").read_text())["metrics"][0]["estimands"][0]
    groups = [found["groups"][place] for place in MIDDLE]
    return [{"mean": round(group["mean"], 4),
             "half": round((group["band95"][1] - group["band95"][0]) / 2, 4)} for group in groups]


def measure(rows, outerloop, source, commit):
    known = load()
    words = import_letters(outerloop, source)
    for row in (row for row in rows if row.letters):
        model = store.model_file(row)
        done = subprocess.run([outerloop, "eval", model, *words, "--json"], check=True,
                              capture_output=True, text=True)
        test = json.loads(done.stdout)
        out = store.RUNS / "letters" / row.name
        known[row.name] = {
            "accuracy": round(test["accuracy"]["mean"], 6), "ci95": round(test["accuracy"]["ci95"], 6),
            "tasks": test["tasks"], "commit": commit, "date": datetime.date.today().isoformat(),
            "squares": {"omniglot": squares(outerloop, model, [], out / "omniglot"),
                        "letters": squares(outerloop, model, words, out / "letters")}}
        store.write_text(FILE, json.dumps(known, indent=1) + "\n")


HEAD = f"""
## The Omniglot models on printed letters, accuracy in percent

`tests/published/run.sh --letters FOLDER` tests kept models on classes that are drawn by fonts
(160 letters of Armenian, Devanagari, Thai and Yezidi), with the protocol of their row. Middle
squares: what each of the four middle squares of {SQUARE} x {SQUARE} pixels in the queries costs of the
accuracy, least to most, and the joint 95 % bands of all 16 squares, over {IMPORTANCE_TASKS} tasks.

| row | Omniglot | letters | tasks | middle squares: Omniglot | letters | commit | date |
|---|---|---|---|---|---|---|---|
"""


def range_of(found):
    means, halves = ([100 * square[key] for square in found] for key in ("mean", "half"))
    return f"{min(means):.1f} to {max(means):.1f} (± {min(halves):.1f} to {max(halves):.1f})"


def lines(row, results, known):
    if not row.letters or row.name not in known:
        return []
    one = known[row.name]
    own = results[row.name]["seeds"]["0"]["curve"][-1]
    percent = lambda mean, ci95: f"{100 * mean:.2f} ± {100 * ci95:.2f}"
    return [[f"`{row.name}`", percent(own["mean"], own["ci95"]),
             percent(one["accuracy"], one["ci95"]), f"{one['tasks']:,}",
             range_of(one["squares"]["omniglot"]), range_of(one["squares"]["letters"]),
             one["commit"], one["date"]]]
