"""The rows of the table and what is known about them: rows.json (ours) and results.json (measured)."""

import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import re
import statistics

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RUNS = ROOT / "runs" / "published"
RESULTS = HERE / "results.json"
TABLE = HERE / "RESULTS.md"
MODELS = HERE / "models"
BASELINES = HERE / "baselines.json"  # written by run.sh --baselines
UNFINISHED = HERE / "unfinished"  # checkpoints of rows that another machine may go on with
PEER = HERE / "peer_sinusoid.json"  # written by peer_sinusoid.py


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    title: str
    config: str  # configs/<config>.yaml
    seeds: int = 1
    overrides: tuple = ()
    expected: dict = dataclasses.field(default_factory=dict)  # loss by inner step
    published: dict = None  # accuracy in percent
    table: str = ""  # name of a data set of tables: entry of baselines.json
    readme: float = None  # of a row of a table: the loss of the best model in the data set's README
    letters: bool = False  # its model is tested on printed letters too (letters.py)
    remark: str = ""

    @property
    def is_regression(self):
        return bool(self.expected) or bool(self.table)

    @property
    def shots(self):
        """Of a row of a table: its first override."""
        return self.overrides[0].removeprefix("tasks.shots=")

    @property
    def config_file(self):
        return ROOT / "configs" / f"{self.config}.yaml"

    @property
    def iterations(self):
        config = self.config_file.read_text(encoding="utf-8")
        return int(re.search(r"^outer:\n  iterations: (\d+)", config, re.MULTILINE).group(1))

    def folder(self, seed):
        return RUNS / self.name / f"seed-{seed}"

    def origin(self, seed):
        """Beside the run folder: commit, date, threads, time of its processes that ended."""
        return self.folder(seed).with_suffix(".json")

    def kept(self, seed):
        """What run.sh --keep has put aside of an unfinished seed."""
        return UNFINISHED / self.name / f"seed-{seed}"


def load_rows():
    file = json.loads((HERE / "rows.json").read_text(encoding="utf-8"))
    rows = file["rows"] + [row for entry in file["tables"] for row in table_rows(**entry)]
    return [Row(**{**row, "overrides": tuple(row.get("overrides", ()))}) for row in rows]


def table_rows(table, config, shots, algorithms):
    """Each algorithm from each number of support rows, three seeds. shots: {k: the README's loss}"""
    for k, readme in shots.items():
        for algorithm, overrides in algorithms.items():
            yield {"name": f"{table}_{algorithm}_k{k}", "title": algorithm, "config": config,
                   "seeds": 3, "table": table, "readme": readme,
                   "overrides": [f"tasks.shots={k}", f"learner.algorithm={algorithm}", *overrides]}


def load_results():
    """{row name: {"seeds": {seed: what summarise() gave}, "progress": iterations of the next seed,
    "so_far": of a classifier whose checkpoint was kept, what run.reached() gave}}"""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def load_peer():
    """{row name: {seed: {step: mean over tasks below 20}}}"""
    return json.loads(PEER.read_text(encoding="utf-8")) if PEER.exists() else {}


def load_baselines():
    """{table: what `outerloop baselines --json` says}"""
    return json.loads(BASELINES.read_text(encoding="utf-8")) if BASELINES.exists() else {}


def model_file(row):
    return MODELS / f"{row.name}.h5"


def checkpoints(folder):
    """The newest last; `best`, a link to one of them, is none of them."""
    return sorted(folder.glob("ckpt-*.h5"))


def write_text(path, text):
    """All or nothing: a kill leaves the old file."""
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


@contextlib.contextmanager
def results_to_change():
    """As they are now; other processes that would change them wait."""
    folder = os.open(RESULTS.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield load_results()
    finally:
        os.close(folder)


def save_results(results):
    write_text(RESULTS, json.dumps(results, indent=1, sort_keys=True) + "\n")


def iterations_done(folder):
    """Of a run that may still be going: what its metrics say. Their last line may be half written."""
    metrics = folder / "metrics.jsonl"
    if not metrics.exists():
        return 0
    for line in reversed(metrics.read_text(encoding="utf-8", errors="replace").splitlines()):
        try:
            return json.loads(line)["iteration"]
        except json.JSONDecodeError:
            continue
    return 0


def iterations_of(checkpoint):
    """Its file name has them."""
    return int(re.search(r"\d+", checkpoint.stem).group())


def iterations_kept(row, seed):
    files = checkpoints(row.kept(seed))
    return iterations_of(files[-1]) if files else 0


def by_task(csv, distinct):
    """The last loss of each distinct task, a mean over its draws: draw i is of task i % distinct."""
    lines = csv.read_text(encoding="utf-8").splitlines()
    losses = [float(line.split(",")[-1]) for line in lines[1:]]
    return [statistics.mean(losses[task::distinct]) for task in range(min(distinct, len(losses)))]


def packed(values):
    """As one line of a file."""
    return " ".join(f"{value:.6g}" for value in values)


def unpacked(text):
    return [float(word) for word in text.split()]


def summarise(folder, origin):
    """The part of a run's summary.json that the table needs."""
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    test = summary["test"]
    quantity = "accuracy" if "accuracy" in test else "loss"
    curve = [{"step": point["step"], "diverged": point["diverged"],
              **{key: round(point[quantity][key], 6) for key in ("mean", "ci95", "median")}}
             for point in test["curve"]]
    if "distinct" in test:
        origin = {**origin, "by_task": packed(by_task(folder / "test_tasks.csv", test["distinct"]))}
    return {**origin, "tasks": test["tasks"], "curve": curve,
            "iterations": summary["iterations"],
            "checkpoint": pathlib.Path(summary["checkpoint"]).name,
            "content_hash": summary["content_hash"]}
