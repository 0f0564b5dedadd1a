"""The trainer and the runner of tests/bench/accuracy: an update beside the reference in float64; what the CSV keeps."""
import contextlib
import csv
import fcntl
import itertools
import json
import os
import signal
import subprocess
import sys

import mixfeed
import numpy as np
import pytest

from conftest import BIN, CHECKOUT, TRAIN_IMAGES, importable, run_cli, running, servers_in, wait_until

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
import mixfeed.torch  # noqa: E402

FOLDER = CHECKOUT / "tests/bench/accuracy"
with importable(FOLDER):
    import data
    import in_process
    import results
    import run as runner
    from arms import ARMS, Arm
    from feed_run import FeedRun
    from feed_server import FeedServer
    from network import make_network, still_statistics, weights_file
    from settings import Settings
    from trainer import Trainer
from reference_step import Adam, Reference, double, recorded_sides, softmax  # noqa: E402

SETTINGS = Settings(batch=8)


@pytest.fixture(scope="module")
def server(module_server):
    """Here guess models are registered."""
    return module_server


@pytest.fixture
def registered(server, tmp_path, request):
    """The name of a guess model, and the network whose weights it has; running statistics are not the initial ones."""
    name = request.node.name.replace("[", "-").replace("]", "")
    network = make_network(3)
    with torch.no_grad():
        network.train()(torch.randn(64, 3, 32, 32, generator=torch.Generator().manual_seed(4)))
    weights_file(network, tmp_path / "weights.pt")
    run_cli("model", "register", name, "--kind", "resnet-small", "--file", tmp_path / "weights.pt", "--server",
            server.address)
    return name, network


def trained(feed, batches):
    """A trainer after a few updates: moments, averages and running statistics are no longer the initial ones."""
    trainer = Trainer(make_network(5, momentum=SETTINGS.momentum), SETTINGS, feed)
    for batch in batches:
        trainer.step(batch)
    return trainer


def relative(value, wanted):
    """Distance over norm."""
    return float((value.double() - wanted).norm() / wanted.norm())


def parameters_of(network):
    return {name: tensor.detach() for name, tensor in network.named_parameters()}


@pytest.mark.parametrize("statistics", ["batch", "running"])
def test_equal_weights_guess_as_the_built_in_network_does(connection, registered, statistics):
    name, network = registered
    feed = connection.open("mixmatch", labels=50, batch=16, model=name, policy="newest", statistics=statistics,
                           temperature=1.0, set={"recipe.mix.enabled": False})
    batch = mixfeed.torch.to_tensors(feed[2])
    with torch.no_grad(), still_statistics(network.train(statistics == "batch")):
        first, second = (network(views).softmax(1) for views in batch.images[batch.n_labelled:].split(batch.n_labelled))
    assert first.std() > 1e-3
    assert (batch.targets[batch.n_labelled:].view(2, -1, 10) - (first + second) / 2).abs().max() < 1e-5


class Update:
    """What a trainer makes of a batch, and the reference that begins with the same weights."""

    def __init__(self, trainer, batch):
        weights = double(trainer.network.state_dict())
        with recorded_sides(trainer.network) as sides:
            self.losses = trainer.gradients(batch)
        self.reference = Reference(weights, SETTINGS.momentum, sides)


def test_one_mixmatch_update_equals_the_reference(connection, registered):
    name, _ = registered
    feed = connection.open("mixmatch", labels=50, batch=SETTINGS.batch, model=name, policy="newest", steps=4,
                           set={"recipe.interleave": True, "recipe.weight.value": SETTINGS.lambda_u,
                                "recipe.weight.ramp": "NONE"})
    *earlier, batch = [mixfeed.torch.to_tensors(received) for received in feed]
    assert batch.lambda_u == SETTINGS.lambda_u and set(batch.row[:8].tolist()) != set(range(8))
    trainer = trained(feed, earlier)
    update = Update(trainer, batch)
    labelled, unlabelled = update.reference.mixmatch_losses(batch)
    assert update.losses == (pytest.approx(float(labelled), rel=1e-5), pytest.approx(float(unlabelled), rel=1e-5))
    check_gradients(trainer.network, update.reference, labelled + batch.lambda_u * unlabelled)
    check_average(trainer)


@pytest.mark.parametrize("recipe, layer", [("supervised", 0), ("mixup", 0), ("manifold", 1), ("manifold", 2)])
def test_one_labelled_update_equals_the_reference(connection, recipe, layer):
    feed = connection.open(recipe, labels=50, batch=SETTINGS.batch, steps=30, seed=2)
    first, second, *rest = [mixfeed.torch.to_tensors(received) for received in feed]
    batch = next(batch for batch in rest if batch.layer == layer)
    assert recipe == "supervised" or 0 < batch.lam[0] < 1
    trainer = trained(feed, [first, second])
    update = Update(trainer, batch)
    loss = update.reference.labelled_loss(batch)
    assert update.losses == (pytest.approx(float(loss), rel=1e-5), 0)
    check_gradients(trainer.network, update.reference, loss)
    check_average(trainer)


def check_gradients(network, reference, loss):
    check_pass({name: parameter.grad for name, parameter in network.named_parameters()}, network.state_dict(), reference,
               loss)


def check_pass(gradients, state, reference, loss):
    """Running statistics within 1e-5 of their norm, each parameter's gradient within 1e-4 of its norm; those of biases
    before a batch norm, which are 0 but for rounding, within 1e-4 of that of all gradients together."""
    wanted = reference.gradients(loss)
    for name, moved in reference.moved.items():
        assert relative(state[name], moved) < 1e-5, name
    whole = torch.cat([gradient.flatten() for gradient in wanted.values()]).norm()
    for name, gradient in wanted.items():
        norm = gradient.norm()
        distance = (gradients[name].double() - gradient).norm()
        assert distance < 1e-4 * (norm if norm > 1e-9 * whole else whole), name


def checkpoint_weights(path):
    """The weights in a file of mixfeed-train's, whose form is in client/train/checkpoint.h."""
    content = path.read_bytes()
    begin = 64 + int.from_bytes(content[16:24], "little")
    data = begin + 8 + int.from_bytes(content[begin:begin + 8], "little")
    entries = json.loads(content[begin + 8:data])
    return {name.removeprefix("weights/"): torch.frombuffer(
                bytearray(content[data + entry["data_offsets"][0]:data + entry["data_offsets"][1]]),
                dtype=torch.float32).reshape(entry["shape"])
            for name, entry in entries.items() if name.startswith("weights/")}


def test_one_update_of_mixfeed_train_equals_the_reference(connection, server, tmp_path):
    def train(run, rate, momentum):
        """The weights after an update of SGD, and what was logged."""
        done = subprocess.run(
            [BIN / "mixfeed-train", "--server", server.address, "--run", run, "--steps", "1", "--optimiser", "sgd",
             "--lr", str(rate), "--weight-decay", "0", "--norm-momentum", str(momentum), "--labels", "50", "--batch",
             str(SETTINGS.batch), "--set", f"recipe.weight.value={SETTINGS.lambda_u}", "--set",
             "recipe.weight.ramp=none", "--eval-every", "0", "--threads", "1", "--checkpoint", tmp_path / run, "--json"],
            check=True, capture_output=True, text=True)
        return checkpoint_weights(tmp_path / run), [json.loads(line) for line in done.stdout.splitlines()]

    before, _ = train("still", rate=0, momentum=0)
    after, log = train("moving", rate=1, momentum=SETTINGS.momentum)
    report = json.loads(run_cli("report", "--run", "moving", "--server", server.address, "--json"))
    feed = connection.open(spec=report["spec"], run="moving")
    batch = mixfeed.torch.to_tensors(feed[0])
    network = make_network(5, momentum=SETTINGS.momentum)
    network.load_state_dict(before, strict=False)
    update = Update(Trainer(network, SETTINGS, feed), batch)
    labelled, unlabelled = update.reference.mixmatch_losses(batch)
    logged = next(line for line in log if line["event"] == "update")
    assert logged["labelled_loss"] == pytest.approx(float(labelled), rel=1e-5)
    assert logged["unlabelled_loss"] == pytest.approx(float(unlabelled), rel=1e-5)
    # Nesterov's first step with momentum 0.9.
    gradients = {name: (before[name].double() - after[name].double()) / 1.9 for name in before}
    check_pass(gradients, after, update.reference, labelled + batch.lambda_u * unlabelled)


def check_average(trainer):
    before = double(parameters_of(trainer.average))
    trainer.apply()
    after = double(parameters_of(trainer.network))
    for name, average in parameters_of(trainer.average).items():
        assert relative(average, 0.995 * before[name] + 0.005 * after[name]) < 1e-6, name
    for name, statistic in trainer.network.named_buffers():
        assert torch.equal(trainer.average.state_dict()[name], statistic)


def test_updates_are_adam_s_and_decay_kernels(connection):
    feed = connection.open("mixup", labels=50, batch=SETTINGS.batch, steps=3)
    trainer = Trainer(make_network(5), SETTINGS, feed)
    adam, weights = Adam(rate=0.002, decay=0.02), double(parameters_of(trainer.network))
    for received in feed:
        trainer.gradients(mixfeed.torch.to_tensors(received))
        weights = adam.updated(weights, {name: p.grad for name, p in trainer.network.named_parameters()})
        trainer.apply()
        for name, parameter in parameters_of(trainer.network).items():
            assert (parameter - weights[name]).abs().max() < 1e-6, name


def in_process_learner(server, updates):
    train = data.train_images(server.work / "cifar")
    labelled, unlabelled = data.official_split(train.labels, 50, 1)
    learner = in_process.InProcessMixMatch(make_network(5, momentum=SETTINGS.momentum), train, labelled, unlabelled,
                                           SETTINGS, seed=1)
    for _ in range(updates):
        learner.step()
    return learner


class Received:
    """What in-process training mixed, in the form of a batch that a feed has interleaved."""

    def __init__(self, images, targets):
        row = torch.arange(sum(map(len, images))).split(len(images[0]))
        self.images, self.targets, self.row = (torch.cat(in_process.interleave(groups)) for groups in
                                               (images, targets, row))
        self.n_labelled = len(images[0])


def test_an_in_process_update_equals_the_reference(server):
    learner = in_process_learner(server, 3)
    mixed = learner.mixed_batch()
    learner.mixed_batch = lambda: mixed
    weights, batch = double(learner.network.state_dict()), Received(*mixed)
    with recorded_sides(learner.network) as sides:
        losses = learner.step()
    reference = Reference(weights, SETTINGS.momentum, sides)
    labelled, unlabelled = reference.mixmatch_losses(batch)
    assert losses == (pytest.approx(float(labelled), rel=1e-5), pytest.approx(float(unlabelled), rel=1e-5))
    check_gradients(learner.network, reference, labelled + SETTINGS.lambda_u * 3 / SETTINGS.ramp * unlabelled)


def test_in_process_guesses_are_sharpened_means_of_probabilities(server):
    learner = in_process_learner(server, 2)
    views = [torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)]
    before = double(learner.network.state_dict())
    with recorded_sides(learner.network) as sides:
        guess = in_process.guess_labels(learner.network, views)
    reference = Reference(before, SETTINGS.momentum, sides)
    mean = sum(softmax(reference.logits(view.double())) for view in views) / 2
    assert (guess - mean ** 2 / (mean ** 2).sum(1, keepdim=True)).abs().max() < 1e-5
    assert all(torch.equal(value, before[name]) for name, value in double(learner.network.state_dict()).items())


def test_in_process_views_are_mirrored_crops():
    """Of an image whose pixels say where they come from; all offsets and both sides occur."""
    place = np.arange(32 * 32, dtype=np.int64).reshape(32, 32)
    pixels = np.stack([place % 251, place // 251, place % 7]).astype(np.uint8)
    padded = {mirrored: np.pad(image, ((0, 0), (4, 4), (4, 4)), mode="reflect")
              for mirrored, image in [(False, pixels), (True, pixels[..., ::-1])]}
    crops = {(image[:, y:y + 32, x:x + 32] / 127.5 - 1).astype(np.float32).round(3).tobytes(): (mirrored, y, x)
             for mirrored, image in padded.items() for y, x in itertools.product(range(9), range(9))}
    views = in_process.weak_view(np.stack([pixels] * 2000), np.random.RandomState(0)).numpy().round(3)
    drawn = [crops[view.tobytes()] for view in views]
    assert len(crops) == 162 and len(set(drawn)) == 162
    assert 0.46 < np.mean([mirrored for mirrored, _, _ in drawn]) < 0.54


def test_in_process_rows_are_mixed_with_one_permutation_by_lambdas_of_their_own():
    rows = 3000
    images = torch.eye(rows)
    mixed, labels = in_process.mix_up(images.view(rows, 1, 1, rows), images, np.random.RandomState(0))
    assert torch.equal(mixed.view(rows, rows), labels)
    own = labels.diagonal()
    partners = (labels - torch.diag(own)).argmax(1)
    assert own.min() >= 0.5 and own.unique().numel() > rows - 10 and len(set(partners.tolist())) >= rows - 10
    assert torch.allclose(labels.sum(1), torch.ones(rows))
    assert own.mean() == pytest.approx(0.778, abs=0.01)  # E[max(l, 1 - l)] of Beta(0.75, 0.75)


def test_the_interleave_is_the_official_one():
    groups = [torch.arange(64) + 64 * group for group in range(3)]
    mixed = in_process.interleave(groups)
    found = [torch.bincount(group // 64, minlength=3).tolist() for group in mixed]
    assert found == [[21, 21, 22], [21, 43, 0], [22, 0, 42]]
    assert all(torch.equal(*pair) for pair in zip(in_process.interleave(mixed), groups))


@pytest.fixture(scope="module")
def bench_server(server):
    with FeedServer(BIN, server.work / "cifar", threads=1) as own:
        yield own


def test_the_lockstep_arm_s_feed_is_official_mixmatch(bench_server):
    with contextlib.closing(FeedRun(ARMS["lockstep"], Settings(batch=8, labels=50, ramp=4), 3, bench_server)) as run:
        for step in range(2):
            run.step()
        spec = run.feed.info.spec
        assert run.feed[2].lambda_u == Settings.lambda_u * 2 / 4 and run.feed[2].guess_update == 2
    recipe = spec["recipe"]
    assert recipe["interleave"] and recipe["mix"]["lambda_scope"] == "PER_ROW"
    assert recipe["guess"]["policy"] == "LOCKSTEP"
    assert (spec["seed"], spec["split"]["seed"], spec["split"]["labelled"]) == ("3", "3", "50")


@pytest.mark.parametrize("seed", [0, 1, 4])
def test_the_split_is_the_feed_s(server, bench_server, seed):
    wanted = bench_server.split(100, seed)
    labelled, unlabelled = data.official_split(data.train_images(server.work / "cifar").labels, 100, seed)
    assert sorted(wanted[0]) == sorted(labelled.tolist()) and sorted(wanted[1]) == unlabelled.tolist()
    assert len(unlabelled) == TRAIN_IMAGES - 100


def run_command(server, out, *arguments):
    return [sys.executable, FOLDER / "run.py", "--data", server.work / "cifar", "--bin", BIN, "--out", out, *arguments]


def run(server, out, *arguments):
    return subprocess.run(run_command(server, out, *arguments), capture_output=True, text=True)


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def without_times(rows):
    return [{name: value for name, value in row.items() if name != "wall_s"} for row in rows]


def test_the_runner_goes_on_where_it_was_interrupted(server, tmp_path):
    out = tmp_path / "results.csv"
    arms = ["in-process", "lockstep", "supervised", "mixup", "newest", "delayed-1", "full-plain", "full-mixup",
            "full-manifold"]
    first = run(server, out, "--quick", "--seeds", "1", "--json", "--arms", *arms)
    assert first.returncode == 0, first.stderr
    rows = rows_of(out)
    assert [(row["arm"], row["step"]) for row in rows] == [(arm, step) for arm in arms for step in ("2", "4")]
    assert len(first.stdout.splitlines()) == 18 and "in-process seed 1" in first.stderr
    assert {row["guess_age"] for row in rows if row["arm"] == "lockstep"} == {"0.0"}
    assert rows[arms.index("delayed-1") * 2 + 1]["guess_age"] == "1.0"
    assert {row["labels"] for row in rows if row["arm"].startswith("full")} == {str(TRAIN_IMAGES)}
    weights = {row["arm"]: (row["lambda_u"], row["ramp"]) for row in rows}
    assert weights["in-process"] == weights["newest"] == (f"{Settings.lambda_u:g}", str(Settings.ramp))
    assert weights["mixup"] == weights["full-manifold"] == ("", "")

    lines = out.read_text().splitlines(keepends=True)
    out.write_text("".join(lines[:2] + lines[3:4]))  # neither of the first two is finished
    assert run(server, out, "--quick", "--seeds", "1", "--arms", "in-process", "lockstep").returncode == 0
    assert without_times(rows_of(out)) == without_times(rows[:4])
    again = run(server, out, "--quick", "--seeds", "1", "--arms", "in-process", "lockstep")
    assert again.stderr.count("is in results.csv") == 2 and without_times(rows_of(out)) == without_times(rows[:4])


def test_an_interrupted_runner_stops_its_server(server, tmp_path):
    command = run_command(server, tmp_path / "results.csv", "--batch", "8", "--labels", "50", "--evaluate-every", "1",
                          "--arms", "lockstep", "--steps", "100000", "--json")
    with running(command, env={**os.environ, "TMPDIR": str(tmp_path)}) as process:  # where its server keeps its state
        assert '"step": 1,' in process.stdout.readline()
        assert len(servers_in(tmp_path)) == 1
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "will be made anew" in errors
    assert servers_in(tmp_path) == []


def test_an_interrupt_before_popen_has_returned_stops_the_server_too(server, monkeypatch):
    started, popen = [], subprocess.Popen

    def interrupted(*args, **options):
        started.append(popen(*args, **options))
        signal.raise_signal(signal.SIGINT)
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            FeedServer(BIN, server.work / "cifar", threads=1)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert started[0].returncode is not None


def test_a_runner_that_is_interrupted_while_its_server_starts_stops_it(server, tmp_path):
    program = tmp_path / "mixfeed-server"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/id\nexec sleep 1000\n")  # says no address
    program.chmod(0o755)
    command = [*run_command(server, tmp_path / "results.csv", "--arms", "lockstep"), "--bin", tmp_path]
    with running(command) as process:
        started = int(wait_until(lambda: (tmp_path / "id").exists() and (tmp_path / "id").read_text()))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.kill(started, 0)


def test_runners_that_begin_at_once_write_one_head(tmp_path, monkeypatch):
    path, lock = tmp_path / "results.csv", fcntl.flock

    def lock_late(file, kind):
        """Another runner appends between this one's opening the file and its lock."""
        monkeypatch.setattr(fcntl, "flock", lock)
        results.append(path, dict.fromkeys(results.FIELDS, 2))
        lock(file, kind)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    results.append(path, dict.fromkeys(results.FIELDS, 1))
    assert [row["seed"] for row in rows_of(path)] == ["2", "1"]


def test_the_commit_is_said_where_there_is_one(tmp_path, monkeypatch):
    said = subprocess.run(["git", "-C", CHECKOUT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    if said.returncode == 0:
        assert runner.commit().rstrip("+") == said.stdout.strip()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setattr(runner, "HERE", tmp_path)
    assert runner.commit() == "unknown"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert runner.commit() == "unknown"


@pytest.mark.parametrize("arguments, message", [
    (["--arms", "nothing"], "invalid choice: 'nothing'"), (["--steps", "0"], "--steps: 0 given, must be 1 or more"),
    (["--threads", "-1"], "--threads: -1 given"), (["--ramp", "0"], "--ramp: 0 given"),
    (["--evaluate-every", "0"], "--evaluate-every: 0 given")])
def test_the_runner_says_what_is_wrong(server, tmp_path, arguments, message):
    failed = run(server, tmp_path / "results.csv", *arguments)
    assert failed.returncode == 2 and message in failed.stderr


def test_the_plot_has_means_and_paired_differences(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    lines = [",".join(results.FIELDS)]
    usual = f"{Settings.lambda_u:g},{Settings.ramp}"
    for arm, age, accuracies in [("lockstep", 0, [60, 64]), ("in-process", 0, [61, 62]), ("delayed-10", 10, [58, 60]),
                                 ("newest", 4, [59, 63])]:
        for seed, accuracy in enumerate(accuracies, start=1):
            lines += [f"{arm},{seed},1000,64,{usual},300,{accuracy - 20},1,0,{age},1,1,x",
                      f"{arm},{seed},1000,64,{usual},3000,{accuracy},1,0,{age},9,1,x"]
    lines += ["mixup,1,1000,64,,,300,50,1,0,0,1,1,x", "supervised,1,250,64,,,3000,40,1,0,0,1,1,x",
              "full-plain,1,50000,64,,,900,80,1,0,0,1,1,x", "lockstep,1,1000,64,3,7,3000,12,1,0,0,9,1,x"]
    (tmp_path / "results.csv").write_text("\n".join(lines) + "\n")
    command = [sys.executable, FOLDER / "plot.py", "--csv", tmp_path / "results.csv", "--out", tmp_path]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "| lockstep | 3,000 | 62.00 ± 2.83 | 1 2 | 0.0 |" in text and "| full-plain | 900 | 80.00 | 1 |  |" in text
    assert "| lockstep - in-process | 0.50 ± 2.12 | -1.00, +2.00 |" in text
    assert "| delayed-10 - lockstep | -3.00 ± 1.41 | -2.00, -4.00 |" in text
    assert "mixup" not in text and "supervised" not in text  # neither has run so far with 1,000 labels
    other = subprocess.run([*command, "--lambda-u", "3", "--ramp", "7"], capture_output=True, text=True, check=True)
    assert "| lockstep | 3,000 | 12.00 | 1 | 0.0 |" in other.stdout
    for name in ["accuracy.png", "staleness.png", "full.png"]:
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    failed = subprocess.run([*command, "--batch", "32"], capture_output=True, text=True)
    assert failed.returncode == 2 and "has no run that was evaluated at update 3000" in failed.stderr


def test_a_line_in_the_table_of_arms_is_enough(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    with importable(FOLDER):
        import plot
    new = Arm("cutmix", "red", "cutmix", full=True, against=("full-plain",))
    monkeypatch.setitem(ARMS, new.name, new)
    assert runner.parse(["--data", ".", "--arms", "cutmix"]).arms == ["cutmix"]
    for arm, accuracy in [("full-plain", 80), ("cutmix", 82), ("of old", 1)]:
        results.append(tmp_path / "results.csv", {**dict.fromkeys(results.FIELDS, 0), "arm": arm, "labels": 50000,
                                                  "seed": 1, "batch": 64, "step": 900, "accuracy": accuracy})
    plot.main(["--csv", str(tmp_path / "results.csv"), "--out", str(tmp_path)])
    text = capsys.readouterr().out
    assert "| cutmix | 900 | 82.00 | 1 |  |" in text and "| cutmix - full-plain | 2.00 | +2.00 |" in text
    assert (tmp_path / "full.png").exists() and not (tmp_path / "accuracy.png").exists()
