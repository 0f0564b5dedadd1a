"""The example scripts run, print their tables and save pictures; with tiny settings."""
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

from conftest import BIN, CHECKOUT, running, servers_in

pytest.importorskip("torch", reason="PyTorch is not installed")
image_module = pytest.importorskip("matplotlib.image", reason="matplotlib is not installed")

EXAMPLES = CHECKOUT / "client/python/examples"
# Of each: the titles of its tables with their numbers of rows, and its pictures.
EXPECTED = {
    "mixup": ({"3 steps of 16": 3}, ["batch.png", "mixup.png"]),
    "label_preserving": ({"Loss of one network": 2, "100 labels": 4},
                         ["lambda-mixup.png", "lambda-label-preserving.png", "label_preserving.png"]),
    "manifold_mixup": ({"3 steps of 16": 3, "Layers that were mixed": 4}, ["manifold_mixup.png"]),
    "mixmatch": ({"100 labels": 2}, ["guesses.png", "mixmatch.png"]),
    "mixing_principles": ({"Portion of the rows": 3, "Law of lambda": 4, "Wrong labels": 4,
                           "Labelled images a class": 2}, ["mixing_principles.png"]),
    "what_mixing_does": ({"3 steps": 6, "MixMatch, 100 labels": 2},
                         ["what_mixing_does.png", "sharpening.png"]),
}
WITH_LABELS = {"label_preserving", "mixmatch", "what_mixing_does"}


@pytest.fixture(scope="module")
def server(module_server):
    """Its models are others than the other tests'."""
    return module_server


def run(name, *arguments, **environment):
    done = subprocess.run([sys.executable, EXAMPLES / f"{name}.py", *map(str, arguments)], capture_output=True,
                          text=True, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    return done.stdout


def tables(output):
    """Titles, and the rows below their heads."""
    found = {}
    for block in output.split("\n\n"):
        lines = block.strip("\n").splitlines()
        if len(lines) > 2:
            found[lines[0]] = lines[2:]
    return found


def numbers_in(row):
    """A table's cells that are numbers: whole ones, those of print_table, of either sign, and what is none or endless.
    """
    cells = re.split(r"  +", row.strip())
    return [float(cell) for cell in cells if re.fullmatch(r"-?(\d+(\.\d{3})?|nan|inf)", cell)]


def test_numbers_of_a_table_are_found():
    assert numbers_in("mixup 0.2  -1.250  0.104  3") == [-1.25, 0.104, 3]
    assert str(numbers_in("a  nan  -inf")) == "[nan, -inf]"


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_prints_tables_and_saves_pictures(server, tmp_path, name):
    titles, pictures = EXPECTED[name]
    labels = ["--labels", 100] if name in WITH_LABELS else []
    output = run(name, "--quick", "--server", server.address, "--steps", 3, "--batch", 16, "--test-images", 100,
                 "--out", tmp_path, *labels)
    found = tables(output)
    for title, rows in titles.items():
        (table,) = [table for head, table in found.items() if head.startswith(title)]
        assert len(table) == rows, table
        for row in table:
            numbers = numbers_in(row)
            assert numbers and all(0 <= number < 100 for number in numbers), row
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(pictures)
    for picture in pictures:
        image = image_module.imread(tmp_path / picture)
        assert image.ndim == 3 and min(image.shape[:2]) > 100 and image.std() > 0.01
        assert f"plot: {tmp_path / picture}" in output


def test_quick_is_short(server, tmp_path):
    """The example that takes longest, as it is. How long that takes is measured by tests/bench/examples.py."""
    output = run("what_mixing_does", "--quick", "--server", server.address, "--labels", 100, "--out", tmp_path)
    assert "\n80 steps, 100 test images\n" in output
    assert output.index("what_mixing_does.png") < output.index("T = 1: ")  # kept, should the second part fail


def test_a_seed_gives_the_same_numbers(server, tmp_path):
    arguments = ["--server", server.address, "--steps", 2, "--batch", 16, "--test-images", 50, "--out", tmp_path]
    (first,), (again,), (other,) = (
        [table for head, table in tables(run("mixup", *arguments, "--seed", seed)).items() if "test images" in head]
        for seed in (5, 5, 6))
    assert len(first) == 3 and first == again and first != other


@pytest.mark.parametrize("name", EXPECTED)
def test_help_says_what_an_example_shows(name):
    output = run(name, "--help")
    for option in ("--server", "--seed", "--out", "--quick", "--steps"):
        assert option in output
    assert len(output.split("usage:")[1].split("options:")[0].split()) > 30  # what it is about


@pytest.mark.parametrize("name, title", [("mixup", "1 steps of 2, 2 test images"),
                                         ("label_preserving", "100 labels, 1 steps"),
                                         ("what_mixing_does", "first singular value"),  # of hidden features
                                         ("mixmatch", "100 labels, 1 steps, 2 test images")])  # registered, pushed
def test_a_resnet_at_224_pixels(server, tmp_path, name, title):
    pytest.importorskip("torchvision", reason="torchvision is not installed")
    labels = ["--labels", 100] if name in WITH_LABELS else []
    output = run(name, "--server", server.address, "--steps", 1, "--batch", 2, "--test-images", 2, "--network",
                 "resnet18", "--out", tmp_path, *labels)
    assert title in output


def own_server_environment(tmp_path):
    return {"MIXFEED_SERVER": "", "MIXFEED_BIN": str(BIN), "XDG_CACHE_HOME": str(tmp_path / "cache")}


def test_without_a_server_one_is_started_and_ended(server, tmp_path):
    output = run("mixup", "--data", f"cifar={server.work / 'cifar'}", "--steps", 1, "--batch", 16, "--test-images", 50,
                 "--out", tmp_path, **own_server_environment(tmp_path))
    assert "1 steps of 16, 50 test images" in output
    assert servers_in(tmp_path) == []


def refusal(examples, *arguments, **environment):
    done = subprocess.run([sys.executable, examples / "mixup.py", *arguments], capture_output=True, text=True,
                          env={**os.environ, "MIXFEED_SERVER": "", **environment})
    assert done.returncode == 1
    return done.stderr


def test_a_server_that_does_not_start_says_why(tmp_path):
    said = refusal(EXAMPLES, "--data", "=", "--out", tmp_path, **own_server_environment(tmp_path))
    assert said.startswith("the server did not start: ")


def test_without_a_server_s_program_it_is_said_where_to_get_one(tmp_path):
    away = tmp_path / "far/from/any/examples"  # the checkout's build folder is found from the examples' own
    shutil.copytree(EXAMPLES, away)
    said = refusal(away, "--out", tmp_path, MIXFEED_BIN="/nowhere", PATH="/nowhere")
    assert said.startswith("no mixfeed-server in MIXFEED_BIN, PATH or build/release/bin")


def test_an_interrupted_example_ends_its_server(server, tmp_path):
    command = [sys.executable, EXAMPLES / "mixup.py", "--data", f"cifar={server.work / 'cifar'}", "--batch", "16",
               "--steps", "1000000", "--out", tmp_path]
    with running(command, env={**os.environ, **own_server_environment(tmp_path)}) as example:
        assert example.stdout.readline().startswith("plot:")
        assert len(servers_in(tmp_path)) == 1
        example.send_signal(signal.SIGINT)
        example.communicate(timeout=60)
    assert example.returncode != 0 and servers_in(tmp_path) == []
