"""Every command of the real `mixfeed` with --json against a real server: what scripts rely on.

    cli_contract_test.py MIXFEED_PROGRAM HOST:PORT        (the server has 500 + 100 images, 10 classes)
"""
import hashlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest

PROGRAM, ADDRESS = sys.argv[1], sys.argv[2]
BATCH, VIEWS, CLASSES = 4, 2, 10
MIXMATCH = ["--recipe", "mixmatch", "--labels", "100", "--batch", str(BATCH), "--run", "contract"]
MIXUP = ["--recipe", "mixup", "--batch", str(BATCH), "--run", "contract"]


def mixfeed(*args):
    return subprocess.run([PROGRAM, *args, "--server", ADDRESS], capture_output=True, text=True, timeout=100)


class Contract(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        registered = mixfeed("model", "register", "small", "--kind", "resnet-small", "--json")
        assert registered.returncode == 0, registered.stderr
        cls.registered = json.loads(registered.stdout)

    def objects(self, *args):
        done = mixfeed(*args, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def object(self, *args):
        objects = self.objects(*args)
        self.assertEqual(len(objects), 1)
        return objects[0]

    def test_info(self):
        info = self.object("info")
        self.assertLessEqual({"version", "device", "datasets", "models", "feeds"}, info.keys())
        self.assertEqual([d["train_images"] for d in info["datasets"]], [500])
        self.assertIn("small", [m["name"] for m in info["models"]])

    def test_info_lists_open_feeds(self):
        feed_id = self.object("open", *MIXUP)["feed_id"]
        self.assertIn(feed_id, [feed["feed_id"] for feed in self.object("info")["feeds"]])

    def test_a_spec_that_open_printed_opens_the_same_feed(self):
        feed = self.object("open", *MIXMATCH)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "spec.json")
            path.write_text(json.dumps(feed["spec"]))
            again = self.object("open", "--spec", str(path), "--run", feed["run"])
            other_run = self.object("open", "--spec", str(path), "--run", "other")
        self.assertEqual(again, feed)
        self.assertNotEqual(other_run["feed_id"], feed["feed_id"])

    def open_over(self, spec, *args):
        """The spec that flags over a resolved one give."""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "spec.json")
            path.write_text(json.dumps(spec))
            return self.object("open", "--spec", str(path), "--run", "contract", *args)["spec"]

    def test_alpha_over_a_resolved_spec_is_of_both_sides(self):
        mixmatch = self.object("open", *MIXMATCH)["spec"]
        mix = self.open_over(mixmatch, "--alpha", "0.3")["recipe"]["mix"]
        self.assertEqual((mix["alpha"], mix["beta"]), (0.3, 0.3))

    def test_another_recipe_over_a_resolved_spec_is_that_recipe(self):
        mixmatch = self.object("open", *MIXMATCH)["spec"]
        mixup = self.object("open", *MIXUP)["spec"]
        over = self.open_over(mixmatch, "--recipe", "mixup")
        self.assertEqual(over["recipe"], mixup["recipe"])
        self.assertEqual(over["split"], mixmatch["split"])

    def test_model_stats_and_watch(self):
        flags = [*MIXMATCH[:-1], "stats", "--validation", "20", "--policy", "newest"]
        feed = self.object("open", *flags)["feed_id"]
        pulled = self.objects("pull", *flags, "--steps", "9", "--get")
        stats = self.object("model", "stats", "--feed", feed)
        (span,) = stats["spans"]
        self.assertEqual((stats["feed_id"], stats["run"]), (feed, "stats"))
        self.assertEqual((span["model"], span["images"]), ("small", BATCH * span["steps"]))
        self.assertEqual(span["steps"], len(pulled))
        self.assertEqual(sum(span["confidence_histogram"]), span["images"])
        self.assertEqual(len(span["class_mean"]), CLASSES)
        self.assertAlmostEqual(sum(span["class_mean"]), 1, 4)
        self.assertTrue(1 / CLASSES < span["confidence"] <= 1)
        self.assertTrue(0 <= span["accuracy"] <= 1)
        self.assertEqual(span["validation"]["images"], 20)
        looks = self.objects("model", "watch", "--feed", feed, "--count", "2", "--interval", "0.1")
        self.assertEqual([look["spans"] for look in looks], [[span], [span]])

    def test_pull_of_a_recipe_that_guesses(self):
        lines = self.objects("pull", *MIXMATCH, "--steps", "3", "--from-step", "2", "--format", "uint8")
        self.assertEqual([line["step"] for line in lines], [2, 3, 4])
        rows = BATCH * (VIEWS + 1)
        for line in lines:
            self.assertRegex(line["digest"], "^[0-9a-f]{16}$")
            self.assertEqual(line["rows"], rows)
            self.assertEqual(line["bytes"], rows * (3 * 32 * 32 + 4 * CLASSES))
            self.assertGreaterEqual(line["guess_version"], 0)
            self.assertGreater(line["confidence"], 1 / CLASSES)
            self.assertLessEqual(line["confidence"], 1)

    def test_pull_of_a_recipe_that_does_not_guess(self):
        line = self.object("pull", *MIXUP, "--steps", "1")
        self.assertLessEqual({"step", "digest", "rows", "bytes"}, line.keys())
        self.assertIsNone(line["guess_version"])

    def test_pull_with_and_without_get_agree(self):
        streamed = self.objects("pull", *MIXMATCH, "--steps", "3", "--rank", "1", "--world", "2")
        asked = self.objects("pull", *MIXMATCH, "--steps", "3", "--rank", "1", "--world", "2", "--get")
        self.assertEqual([line["step"] for line in streamed], [1, 3, 5])
        self.assertEqual(asked, streamed)

    def test_confidence_is_of_the_guess_and_not_of_the_mixed_target(self):
        (mixed,) = self.objects("pull", *MIXMATCH, "--steps", "1")
        with tempfile.TemporaryDirectory() as folder:
            spec = self.object("open", *MIXMATCH)["spec"]
            spec["recipe"]["mix"]["enabled"] = False
            path = pathlib.Path(folder, "spec.json")
            path.write_text(json.dumps(spec))
            (plain,) = self.objects("pull", "--spec", str(path), "--run", "unmixed", "--steps", "1")
        self.assertNotEqual(plain["digest"], mixed["digest"])
        self.assertAlmostEqual(plain["confidence"], mixed["confidence"], places=5)

    def test_peek(self):
        with tempfile.TemporaryDirectory() as folder:
            picture = pathlib.Path(folder, "batch.png")
            peek = self.object("peek", *MIXMATCH, "--step", "1", "--out", str(picture), "--rows", "6")
            self.assertEqual((peek["step"], peek["file"]), (1, str(picture)))
            self.assertTrue(picture.read_bytes().startswith(b"\x89PNG"))

    def test_explain(self):
        plan = self.object("explain", *MIXMATCH, "--step", "7")
        self.assertEqual(plan["step"], 7)
        rows = plan["rows"]
        self.assertEqual(len(rows), BATCH * (VIEWS + 1))
        for index, row in enumerate(rows):
            self.assertLessEqual({"sample", "pool", "label", "crop_y", "crop_x", "flip", "view", "partner", "lambda"},
                                 row.keys())
            self.assertIn(row["sample"], range(500))
            self.assertIn(row["crop_y"], range(9))
            self.assertIn(row["crop_x"], range(9))
            self.assertIsInstance(row["flip"], bool)
            self.assertIn(row["partner"], range(len(rows)))
            self.assertTrue(0.5 <= row["lambda"] <= 1, row)
            labelled = index < BATCH
            self.assertEqual(row["pool"], "labelled" if labelled else "unlabelled")
            self.assertEqual(row["view"], 0 if labelled else (index - BATCH) // BATCH)
            if labelled:
                self.assertEqual(row["label"], row["sample"] % 10)  # as with_server.sh writes them
            else:
                self.assertIsNone(row["label"])

    def test_split(self):
        split = self.object("split", *MIXMATCH, "--validation", "50")
        lists = {name: set(split[name]) for name in ("labelled", "unlabelled", "validation")}
        self.assertEqual({name: len(indices) for name, indices in lists.items()},
                         {"labelled": 100, "unlabelled": 350, "validation": 50})
        self.assertEqual(set.union(*lists.values()), set(range(500)))

    def test_report(self):
        flags = ["--recipe", "mixmatch", "--labels", "100", "--batch", str(BATCH), "--split-seed", "5"]
        feed = self.object("open", *flags, "--run", "reported")
        (pulled,) = self.objects("pull", *flags, "--run", "reported", "--policy", "lockstep", "--steps", "1", "--get")
        report = self.object("report", "--run", "reported")
        self.assertEqual((report["feed_id"], report["run"]), (feed["feed_id"], "reported"))
        self.assertEqual(self.object("report", "--feed", feed["feed_id"]), report)
        self.assertEqual(report["spec"], feed["spec"])
        self.assertEqual(report["seeds"], {"seed": 0, "split_seed": 5})
        self.assertEqual(report["served"], {"batches": 1, "below_step": 1})
        self.assertEqual(report["guesses"]["staleness"], [{"age_first": 0, "age_last": 0, "steps": 1}])
        self.assertEqual(pulled["guess_age"], 0)
        lists = mixfeed("split", *flags).stdout
        self.assertEqual(report["split"]["sha256"], hashlib.sha256(lists.encode()).hexdigest())
        self.assertEqual([model["weights"] for model in report["models"]], [self.registered["weights"]])

    def test_bench_of_a_recipe_that_guesses(self):
        bench = self.object("bench", *MIXMATCH, "--seconds", "0.05", "--rounds", "1")
        for key in ("wire_limit_images_per_second", "fresh_images_per_second", "bare_forward_images_per_second"):
            self.assertGreater(bench[key], 0, key)
        self.assertAlmostEqual(bench["ratio"],
                               bench["fresh_images_per_second"] / bench["wire_limit_images_per_second"])
        self.assertGreater(bench["guess_ratio"], 0)

    def test_bench_of_a_recipe_that_does_not_guess(self):
        bench = self.object("bench", *MIXUP, "--seconds", "0.05", "--rounds", "1")
        self.assertGreater(bench["ratio"], 0)
        self.assertNotIn("guess_ratio", bench)

    def test_two_benches_at_once_leave_nothing_but_the_generated_datasets(self):
        with tempfile.TemporaryDirectory() as folder:
            home, temporary = pathlib.Path(folder, "home"), pathlib.Path(folder, "tmp")
            temporary.mkdir()
            environment = {"HOME": str(home), "PATH": os.environ["PATH"], "TMPDIR": str(temporary)}
            command = [PROGRAM, "bench", "--data", os.environ["MIXFEED_TEST_DATA"], *MIXMATCH, "--device", "cpu",
                       "--seconds", "0.05", "--rounds", "1", "--json"]
            benches = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True) for _ in range(2)]
            for bench in benches:
                out, err = bench.communicate(timeout=100)
                self.assertEqual(bench.returncode, 0, err)
                self.assertGreater(json.loads(out)["fresh_images_per_second"], 0)
            left = [path for path in home.rglob("*") if path.is_file()]
            self.assertEqual(left, [], "this dataset is not generated, so nothing is to be kept")
            self.assertEqual(list(temporary.iterdir()), [])

    def test_models(self):
        self.assertEqual((self.registered["name"], self.registered["kind"]), ("small", "resnet-small"))
        self.assertEqual(self.registered["classes"], CLASSES)
        self.assertIn(self.registered, self.object("model", "list")["models"])

    def test_an_interrupted_pull_says_what_came_and_exits_with_130(self):
        pull = subprocess.Popen([PROGRAM, "pull", *MIXUP, "--steps", "0", "--json", "--server", ADDRESS],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(json.loads(pull.stdout.readline())["step"], 0)
        pull.send_signal(signal.SIGINT)
        _, summary = pull.communicate(timeout=60)
        self.assertEqual(pull.returncode, 130)
        self.assertRegex(summary, r"mixfeed: \d+ batches, \d+ images")

    def test_errors_are_one_line(self):
        for code, args in ((2, ["pull", "--no-such-flag"]), (1, ["open", "--recipe", "no-such-recipe"])):
            done = mixfeed(*args)
            self.assertEqual(done.returncode, code)
            self.assertTrue(re.fullmatch(r"mixfeed: .+\n", done.stderr), done.stderr)
            self.assertEqual(done.stdout, "")

    def test_output_that_cannot_be_written_is_an_error(self):
        for args in (["info"], ["open", *MIXUP], ["pull", *MIXUP], ["explain", *MIXUP], ["split", *MIXUP],
                     ["peek", *MIXUP, "--out", "/dev/null"], ["model", "list"], ["--help"], ["--version"]):
            with open("/dev/full", "w") as full:
                done = subprocess.run([PROGRAM, *args], stdout=full, stderr=subprocess.PIPE, text=True, timeout=100,
                                      env={"MIXFEED_SERVER": ADDRESS})
            self.assertEqual(done.returncode, 1, args)
            self.assertRegex(done.stderr, "standard output cannot be written", args)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "--verbose"])
