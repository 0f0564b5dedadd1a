"""Training scripts with and without a feed: what the README says of changing one into the other."""
import re
import subprocess
import sys

import mixfeed
import pytest

from conftest import CHECKOUT, importable

SCRIPTS = CHECKOUT / "tests/client/python/scripts"
MOST_CHANGED_LINES = 10


@pytest.fixture(scope="module")
def server(module_server):
    """Its models are others than the other tests'."""
    return module_server


@pytest.fixture(scope="module")
def diffs():
    with importable(SCRIPTS):
        import diffs as module
    return module


@pytest.mark.parametrize("name", ["mixmatch", "mixup"])
def test_at_most_ten_lines_change(diffs, name):
    changed = [line for line in diffs.diff(name).splitlines()[2:] if line[0] in "+-"]
    assert 0 < diffs.changed_lines(name) <= MOST_CHANGED_LINES
    for sign in "+-":  # a line that is replaced counts once, but neither kind is more
        assert sum(line[0] == sign for line in changed) <= MOST_CHANGED_LINES


def test_lines_are_counted_as_an_editor_would(diffs, monkeypatch):
    files = {"a": ["one\n", "two\n", "three\n"], "a_feed": ["zero\n", "one\n", "2\n"]}
    monkeypatch.setattr(diffs, "lines_of", files.__getitem__)
    assert diffs.changed_lines("a") == 3  # one added, one replaced, one taken away


def test_the_readme_shows_the_diffs_as_they_are(diffs):
    readme = (CHECKOUT / "client/python/README.md").read_text()
    shown = re.findall(r"^```diff\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert shown == [diffs.diff(name) for name in diffs.SCRIPTS]


def test_the_recipes_are_what_the_readme_says_of_them():
    def values(recipe):
        return {field["path"]: field["value"] for field in mixfeed.show_recipe(recipe)["fields"]}

    mixmatch, mixup = values("mixmatch"), values("mixup")
    assert (mixmatch["recipe.mix.lambda_scope"], mixup["recipe.mix.lambda_scope"]) == ("per_row", "per_batch")
    assert (mixmatch["recipe.view.pad_mode"], mixup["recipe.view.pad_mode"]) == ("reflect", "zero")
    assert mixmatch["recipe.labelled_sampling"] == mixup["recipe.labelled_sampling"] == "epochs"
    assert [field["path"] for field in mixfeed.diff_recipes("mixup", "mixup/facebookresearch")] == ["source"]
    (changed,) = mixfeed.diff_recipes("mixup", set={"recipe.view.pad_mode": "reflect"})
    assert changed["path"] == "recipe.view.pad_mode"


@pytest.mark.parametrize("script", ["mixmatch", "mixmatch_feed", "mixup", "mixup_feed"])
def test_each_trains(server, script):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    steps = 3
    labels = ["--labels", "100"] if "mixmatch" in script else []
    done = subprocess.run([sys.executable, SCRIPTS / f"{script}.py", "--data", server.work / "cifar", "--batch", "20",
                           "--server", server.address, "--steps", str(steps), *labels], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    assert [int(line.split()[1]) for line in lines] == list(range(steps))
    losses = [float(value) for line in lines for value in re.findall(r"loss\S* ([\d.]+)", line)]
    assert all(0 <= loss < 20 for loss in losses) and losses[0] > 1  # a fresh network: about ln(10)
    assert 0 <= float(re.fullmatch(r"accuracy ([\d.]+)", last).group(1)) <= 1
