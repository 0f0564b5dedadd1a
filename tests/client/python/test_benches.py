"""The benches in Python run, and say what they should; how fast things are is not tested."""
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from conftest import BIN, CHECKOUT, importable, servers_in

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

BENCH = CHECKOUT / "tests/bench"
with importable(BENCH):
    import kit
    import peer
    import torch_peer

ANSWERING = f"""
import sys
sys.path.insert(0, {str(BENCH)!r})
from kit import answer_lines
print("a library's greeting")
answer_lines({{"name": "it"}}, lambda number: {{"twice": 2 * number}})
"""


def run(script, tmp_path, *arguments):
    """What it prints; its server has ended."""
    done = subprocess.run([sys.executable, BENCH / script, "--bin", BIN, *map(str, arguments)], capture_output=True,
                          text=True, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert servers_in(tmp_path) == []
    return done.stdout


def test_trainer_step_compares_all_trainers(server, tmp_path):
    found = json.loads(run("trainer_step.py", tmp_path, "--quick", "--json", "--policies", "delayed-1", "--data",
                           f"cifar={server.work / 'cifar'}"))
    assert found["rows"] == 24 and 0 <= found["others"] <= 1
    assert list(found["step"]) == ["delayed-1", "memory", "supervised", "supervised-one-pass", "in-process"]
    assert all(step["seconds"] > 0 and step["trainer_cpu"] > 0 for step in found["step"].values())
    assert [aim["aim"] for aim in found["aims"]["delayed-1"]] == [1.05] * 3
    assert all(aim["reached"] == (aim["value"] <= 1.05) for aim in found["aims"]["delayed-1"])
    assert found["to_supervised"]["in-process"]["by groups"] > 0
    assert list(found["images_per_second"]) == ["delayed-1, a core each", "delayed-1, all cores",
                                                "in-process, all cores"]


def test_examples_measures_each_by_the_limit(server, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    report = run("examples.py", tmp_path, "--data", f"cifar={server.work / 'cifar'}", "--steps", 2, "mixup",
                 "manifold_mixup")
    for name in ("mixup", "manifold_mixup"):
        assert f" of 120 s by {name}.py --quick (aim: 1 or less: " in report


def test_loaders_measures_what_is_installed_and_says_what_is_not(server, tmp_path):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nexec {sys.executable} -S \"$@\"\n")  # without what is installed
    python.chmod(0o755)
    report = run("loaders.py", tmp_path, "--quick", "--data", server.work / "cifar", "--loaders", "torch-batches",
                 "tf-process", "dali", "--peers-python", python)
    assert "batches of 16, float32" in report
    assert "DataLoader, " in report and "of torch-batches's, the fastest of the others (aim: 1.0 or more: " in report
    assert "tf-process     left out: not installed: No module named 'tensorflow'" in report
    assert "dali           left out: not installed: No module named " in report


@pytest.mark.parametrize("script", ["trainer_step.py", "loaders.py"])
def test_what_is_not_allowed_is_told(script, tmp_path):
    done = subprocess.run([sys.executable, BENCH / script, "--rounds", "0"], capture_output=True, text=True)
    assert done.returncode == 2 and "--rounds" in done.stderr and "must be 1 or more" in done.stderr


def test_the_batched_loader_s_views_are_crops_of_images_padded_with_black(monkeypatch):
    monkeypatch.setattr(torch_peer, "mixup", lambda images, labels: (images, labels))
    images = np.random.RandomState(0).randint(0, 256, (20, 3, 32, 32)).astype(np.uint8)
    labels = np.arange(20)
    views, found = torch_peer.Batches(images, labels)[[3, 3, 7, 11]]
    assert found.tolist() == [3, 3, 7, 11]
    padded = np.pad(images, ((0, 0), (0, 0), (4, 4), (4, 4)))
    for view, label in zip(views.numpy(), found):
        crops = [padded[label, :, y:y + 32, x:x + 32] for y in range(9) for x in range(9)]
        assert sum(np.allclose(view, crop[:, :, ::turn] * (2 / 255) - 1, atol=1e-6)
                   for crop in crops for turn in (1, -1)) == 1


@pytest.mark.parametrize("wrong", ["rows", "type", "range", "targets", "unmixed"])
def test_batches_that_are_no_mixup_are_refused(wrong):
    images = np.linspace(-1, 1, 4 * 3072, dtype=np.float32).reshape(4, 3, 32, 32)
    targets = np.full((4, 10), 0.1, np.float32)
    peer.check((images, targets), 4, np.asarray)
    broken = {"rows": (images[:3], targets[:3]), "type": (images.astype(np.float64), targets),
              "range": (images * 2, targets), "targets": (images, targets * 2),
              "unmixed": (images, np.eye(10, dtype=np.float32)[:4])}
    with pytest.raises(AssertionError):
        peer.check(broken[wrong], 4, np.asarray)


def test_a_process_answers_lines():
    with kit.Asked(sys.executable, "-c", ANSWERING) as process:
        assert process.greeting == {"name": "it"} and process.ask(number=3) == {"twice": 6}
        with pytest.raises(RuntimeError, match="instead of answering:\n(.|\n)*unexpected keyword argument 'digit'"):
            process.ask(digit=3)


def test_a_process_that_cannot_start_says_why():
    with pytest.raises(kit.Missing, match="^ZeroDivisionError: division by zero$"):
        kit.Asked(sys.executable, "-c", "1 / 0")


def test_aims_are_limits_from_above_or_below():
    assert str(kit.Aim("the peer's", 1.2, 1.05)) == "1.200 of the peer's (aim: 1.05 or less: MISSED)"
    assert kit.Aim("the peer's", 1.05, 1.05).reached and kit.Aim("the peer's", 1.2, 1.05, least=True).reached


def test_processes_start_on_the_cores_that_are_said_and_can_be_moved():
    cores = sorted(os.sched_getaffinity(0))
    with kit.on_cores(cores[:1]), subprocess.Popen(["sleep", "100"]) as process:
        assert os.sched_getaffinity(process.pid) == set(cores[:1])
        kit.move(process.pid, cores)
        assert os.sched_getaffinity(process.pid) == set(cores)
        process.kill()
    assert sorted(os.sched_getaffinity(0)) == cores
