"""The harness itself: rows and configs, the table, a row that is stopped and goes on."""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import types
import unittest
import unittest.mock

import letters
import rows as store
import run
import table

# No machine trains it to its end, which a constant schedule lets another row move.
ENDLESS = store.Row(
    name="tiny", title="a training", config="sinusoid_maml",
    overrides=("outer.iterations=1000000000", "outer.schedule=constant", "validation.every=0",
               "test.tasks=20", "checkpoint.best=false", "log.every_iterations=50"),
    expected={"1": {"range": [0, 100], "median": 1}})


def ending_at(iterations):
    """The same row, and the same training but for its end."""
    _, *overrides = ENDLESS.overrides
    return dataclasses.replace(ENDLESS, overrides=(f"outer.iterations={iterations}", *overrides))


def accuracy_run(mean, ci95=0.002):
    point = {"step": 10, "diverged": 0, "mean": mean, "ci95": ci95, "median": 1}
    return {"0": {"curve": [point], "tasks": 600, "iterations": 60000, "wall_s": 60,
                  "checkpoint": "ckpt-000060000.h5",
                  "threads": 2, "commit": "abc", "date": "2026-01-01"}}


class Rows(unittest.TestCase):
    def test_configs_exist_and_names_differ(self):
        rows = store.load_rows()
        for row in rows:
            self.assertGreater(row.iterations, 0, row.name)
        self.assertEqual(len({row.name for row in rows}), len(rows))

    def test_the_table_is_what_results_json_gives(self):
        table_now = table.render(store.load_rows(), store.load_results(), store.load_peer(),
                                 store.load_baselines(), letters.load())
        self.assertEqual(store.TABLE.read_text(encoding="utf-8"), table_now,
                         "run tests/published/run.sh --table")


    def test_commits_are_in_the_repository(self):
        if run.git("rev-parse", "--is-shallow-repository") != "false":
            self.skipTest("needs git and the whole history")
        files = (store.RESULTS, letters.FILE)
        named = set(re.findall(r'"commit": "([0-9a-f]{10})"', "".join(
            file.read_text(encoding="utf-8") for file in files)))
        self.assertTrue(named)
        for commit in named - set(table.RENAMED):
            self.assertEqual(run.git("cat-file", "-t", commit), "commit", commit)


class Table(unittest.TestCase):
    row = store.Row(name="r", title="t", config="omniglot_maml",
                    published={"mean": 98.7, "ci95": 0.4})

    def status(self, mean):
        return table.render([self.row], {"r": {"seeds": accuracy_run(mean)}}, {}, {})

    def test_an_accuracy_whose_interval_reaches_the_published_one_is_reproduced(self):
        self.assertIn("| reproduced |", self.status(0.982))
        self.assertIn("| below by 0.10 |", self.status(0.980))

    def test_says_which_checkpoint_was_tested(self):
        seeds = accuracy_run(0.98)
        for name, said in (("ckpt-000060000.h5", "| 60,000 iterations, 1 min "),
                           ("ckpt-000026000.h5", "| 60,000 iterations, tested as of 26,000, 1 min ")):
            seeds["0"]["checkpoint"] = name
            self.assertIn(said, table.render([self.row], {"r": {"seeds": seeds}}, {}, {}))

    def test_a_row_that_is_not_finished_says_how_far_it_is(self):
        half = {"r": {"seeds": {}, "progress": self.row.iterations // 2}}
        self.assertIn("50 % trained", table.render([self.row], half, {}, {}))
        self.assertIn("not started", table.render([self.row], {}, {}, {}))
        half["r"]["so_far"] = {"iterations": 1700, "tasks": 600, "mean": 0.95, "ci95": 0.004}
        self.assertIn("| 95.00 ± 0.40 after 1,700 iterations | 600 |  | 50 % trained |",
                      table.render([self.row], half, {}, {}))

    def test_losses_are_judged_by_the_median_seed(self):
        expected = {"range": [0.35, 0.41], "median": 0.2}
        point = lambda mean, median: {"mean": mean, "median": median}
        good = [point(0.36, 0.21), point(0.39, 0.19), point(0.42, 4.0)]
        self.assertEqual(table.loss_status(good, expected), "reproduced; 2 of 3 seeds inside")
        good[2] = point(5.0, 4.0)
        self.assertEqual(table.loss_status(good, expected),
                         "median seed inside, mean outside; 2 of 3 seeds inside")
        self.assertEqual(table.loss_status([point(0.43, 0.2)], expected),
                         "median seed outside; 0 of 1 seeds inside")
        self.assertIn("median task", table.loss_status([point(0.4, 0.3)], expected))

    def table_row(self, pooled, hierarchical, *seeds):
        row = store.Row(name="r", title="maml", config="spi_maml", table="spi", readme=1.7, seeds=3,
                        overrides=("tasks.shots=10", "learner.algorithm=maml"))
        simple = {name: {"mean": pooled, "by_task": ""} for name in
                  ("global mean", "support mean", "task ridge", "pooled")}
        simple["hierarchical"] = {"by_task": hierarchical}
        known = {"spi": {"target_variance": 2.0, "shots": {"10": {"loss": simple}}}}
        runs = {str(seed): {"tasks": 40, "commit": "c", "date": "d", "by_task": losses}
                for seed, losses in enumerate(seeds)}
        return table.render([row], {"r": {"seeds": runs}} if seeds else {}, {}, known)

    def test_a_row_of_a_table_is_judged_by_the_hierarchical_model_task_by_task(self):
        for losses, status in (("0.1 0.4 0.7", "| below |"),  # all tasks by the same, whatever they are
                               ("0.3 0.6 0.9", "| above, 20.0 % more |"),
                               ("0.1 0.6 0.9", "| as good, 6.7 % more |"),
                               ("0.8 1.1 1.4", "; not below pooled |")):
            self.assertIn(status, self.table_row(0.9, "0.2 0.5 0.8", losses, losses, losses), losses)
        self.assertIn("| tasks diverged |",
                      self.table_row(0.9, "0.2 0.5 0.8", "0.1 nan 0.7", "0.1 0.4 0.7", "0.1 0.4 inf"))
        self.assertIn("not started", self.table_row(0.9, "0.2 0.5 0.8"))

    def test_a_row_of_a_table_is_over_tasks_in_the_data_set_s_unit(self):
        text = self.table_row(0.9, "0.2 0.5 0.8", "0.1 0.4 0.7", "0.3 0.6 0.9", "0.2 0.5 0.8")
        # 4.303 * 0.3 / sqrt(3), in squared rating points
        self.assertIn("| 1.000 ± 1.491 [0.800, 1.200] |", text)
        self.assertIn("| 0.0000 ± 0.0000 | 1.700 | as good | 3, 40 x 3 |", text)

    def test_quantiles_of_student_go_on_beyond_the_list(self):
        self.assertAlmostEqual(table.student(2), 4.303, 3)
        self.assertAlmostEqual(table.student(21), 2.0796, 4)
        self.assertAlmostEqual(table.student(579), 1.9641, 4)

    def test_rows_of_a_table_go_through_its_algorithms(self):
        rows = list(store.table_rows("t", "flights_maml", {"5": 0.2, "10": 0.1},
                                     {"anil": ["inner.steps=3"]}))
        self.assertEqual([row["name"] for row in rows], ["t_anil_k5", "t_anil_k10"])
        self.assertEqual([row["readme"] for row in rows], [0.2, 0.1])
        self.assertEqual(rows[0]["overrides"],
                         ["tasks.shots=5", "learner.algorithm=anil", "inner.steps=3"])


class Runs(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.folder = pathlib.Path(place.name)

    def test_a_half_written_line_of_metrics_does_not_count(self):
        metrics = self.folder / "metrics.jsonl"
        for text, done in (("", 0), ('{"iter', 0), ('{"iteration": 7}\n', 7),
                           ('{"iteration": 7}\n{"iteration": 90, "lo', 7)):
            metrics.write_text(text)
            self.assertEqual(store.iterations_done(self.folder), done, text)

    def test_draws_of_a_task_count_once(self):
        csv = self.folder / "test_tasks.csv"
        csv.write_text("task,loss_0,loss_1\n0,9,1\n1,9,2\n2,9,3\n3,9,5\n4,9,4\n")
        self.assertEqual(store.by_task(csv, 3), [3, 3, 3])
        self.assertEqual(store.by_task(csv, 9), [1, 2, 3, 5, 4])
        self.assertEqual(store.unpacked(store.packed([0.25, 3])), [0.25, 3])

    def test_the_model_of_a_finished_row_is_kept_when_it_is_missing(self):
        exporter = self.folder / "exporter.sh"
        exporter.write_text('#!/bin/sh\necho "$3" >"$4"\n')
        exporter.chmod(0o755)
        options = types.SimpleNamespace(outerloop=exporter, threads=1, nice=0)
        row = store.Row(name="r", title="t", config="omniglot_maml")
        changes = {"RUNS": self.folder, "MODELS": self.folder / "models",
                   "RESULTS": self.folder / "results.json", "TABLE": self.folder / "RESULTS.md"}
        with unittest.mock.patch.multiple(store, **changes):
            store.save_results({"r": {"seeds": accuracy_run(0.98)}})
            self.assertEqual(run.reproduce(row, [row], options, None), 0)
            self.assertFalse(store.model_file(row).exists())  # its run folder is gone
            run_folder = row.folder(0)
            run_folder.mkdir(parents=True)
            (run_folder / "summary.json").write_text('{"checkpoint": "the best"}')
            self.assertEqual(run.reproduce(row, [row], options, None), 0)
            self.assertEqual(store.model_file(row).read_text(encoding="utf-8"), "the best\n")

    def test_an_unfinished_classifier_is_tested_at_its_best_checkpoint(self):
        program = self.folder / "outerloop"
        points = [{"accuracy": {"mean": mean, "ci95": 0.02}} for mean in (0.1, 0.9)]
        said = json.dumps({"tasks": 600, "curve": points})
        program.write_text('#!/bin/sh\n[ "$1 ${2##*-} $3" = "eval 000000200.h5 --json" ] || exit 2\n'
                           f"echo '{said}'\n")
        program.chmod(0o755)
        options = types.SimpleNamespace(outerloop=program, threads=1, nice=0)
        row = store.Row(name="r", title="t", config="omniglot_maml")
        so_far = {"iterations": 200, "tasks": 600, "mean": 0.9, "ci95": 0.02}
        changes = {"RUNS": self.folder, "UNFINISHED": self.folder / "unfinished",
                   "RESULTS": self.folder / "results.json", "TABLE": self.folder / "RESULTS.md"}
        with unittest.mock.patch.multiple(store, **changes):
            run.keep_unfinished([row], options)
            self.assertEqual(store.load_results(), {})
            row.kept(0).mkdir(parents=True)
            (row.kept(0) / "ckpt-000000300.h5").touch()
            run.keep_unfinished([row], options)  # its test fails
            self.assertEqual(store.load_results()["r"], {"seeds": {}, "progress": 300})
            (row.kept(0) / "ckpt-000000200.h5").touch()
            run.keep_unfinished([row], options)
            self.assertEqual(store.load_results()["r"],
                             {"seeds": {}, "progress": 300, "so_far": so_far})
            program.write_text("#!/bin/sh\nexit 2\n")
            run.keep_unfinished([row], options)  # knows it already
            self.assertEqual(store.load_results()["r"]["so_far"], so_far)


class CommandLine(unittest.TestCase):
    def test_only_a_command_that_trains_or_tests_builds_the_program(self):
        with tempfile.TemporaryDirectory() as place:
            root = pathlib.Path(place)
            shutil.copytree(store.HERE, root / "tests/published",
                            ignore=shutil.ignore_patterns("models", "__pycache__"))
            (root / "tools").mkdir()
            builder = root / "tools/build.sh"
            builder.write_text('#!/bin/sh\necho "builds $*"\nexit 9\n')
            builder.chmod(0o755)
            row = store.load_rows()[0].name
            for words, code, printed in ((["TYPO"], 2, ""), ([], 2, ""),
                                         (["--keep"], 9, "builds release outerloop\n"),
                                         ([row], 9, "builds release outerloop\n")):
                done = subprocess.run([root / "tests/published/run.sh", *words],
                                      capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stdout), (code, printed), words)


class Models(unittest.TestCase):
    def test_every_finished_accuracy_row_has_its_model(self):
        results = store.load_results()
        for row in store.load_rows():
            if not row.is_regression and not table.progress(row, results):
                self.assertTrue((store.MODELS / f"{row.name}.h5").exists(), row.name)


class Training(unittest.TestCase):
    options = types.SimpleNamespace(outerloop=os.environ.get("OUTERLOOP"), threads=1, nice=0)

    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        folder = pathlib.Path(place.name)
        patch = unittest.mock.patch.multiple(
            store, RUNS=folder / "runs", UNFINISHED=folder / "unfinished",
            RESULTS=folder / "results.json", TABLE=folder / "RESULTS.md")
        patch.start()
        self.addCleanup(patch.stop)

    def stopped(self):
        code = run.reproduce(ENDLESS, [ENDLESS], self.options, time.monotonic() + 1)
        self.assertEqual(code, 75)
        self.assertIn("% trained", store.TABLE.read_text(encoding="utf-8"))
        return store.load_results()["tiny"]["progress"]

    def test_a_row_goes_on_where_it_was_stopped_and_from_what_was_kept_of_it(self):
        first = self.stopped()
        progress = self.stopped()
        self.assertTrue(0 < first < progress, (first, progress))
        run.keep_unfinished([ENDLESS], self.options)
        kept = store.iterations_kept(ENDLESS, 0)
        self.assertGreaterEqual(kept, progress)  # which metrics tell, every 50 iterations
        shutil.rmtree(store.RUNS)
        run.refresh([ENDLESS])
        self.assertEqual(store.load_results()["tiny"]["progress"], kept)
        row = ending_at(kept + 20000)
        spent = json.loads((row.kept(0) / "origin.json").read_text(encoding="utf-8"))["wall_s"]
        self.assertEqual(run.reproduce(row, [row], self.options, None), 0)
        line = (row.folder(0) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[0]
        self.assertGreater(json.loads(line)["iteration"], kept)
        self.assertFalse(row.kept(0).exists())
        results = store.load_results()["tiny"]
        self.assertEqual(list(results["seeds"]), ["0"])
        self.assertGreater(results["seeds"]["0"]["wall_s"], spent)
        self.assertNotIn("progress", results)
        self.assertIn("| 20 x 1 |", store.TABLE.read_text(encoding="utf-8"))

    def test_a_row_that_is_trained_again_has_its_own_commit(self):
        self.stopped()
        row = ending_at(1000)
        shutil.rmtree(row.folder(0))
        with unittest.mock.patch.object(run, "commit", lambda: "another"):
            self.assertEqual(run.reproduce(row, [row], self.options, None), 0)
        self.assertEqual(store.load_results()["tiny"]["seeds"]["0"]["commit"], "another")

    def test_what_is_gone_and_was_not_kept_is_not_started(self):
        self.stopped()
        shutil.rmtree(store.RUNS)
        run.refresh([ENDLESS])
        self.assertIn("not started", store.TABLE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    unittest.main()
