"""Looking at feeds, recipes, models and runs; compared with the CLI, the batches and other decoders."""
import hashlib
import io
import json
import math
import struct
import subprocess
import sys
import threading
import time
import warnings
import zlib

import numpy as np
import pytest

import mixfeed
from conftest import CHECKOUT, run_cli, wait_until

PNG = b"\x89PNG\r\n\x1a\n"
MIXMATCH = dict(labels=100, batch=8, policy="newest", model="small")


@pytest.fixture(scope="module")
def server(module_server):
    """Its models are others than the other tests'."""
    return module_server


def cli(server, *arguments):
    return run_cli(*arguments, "--server", server.address)


def decoded(png):
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    return np.asarray(image.open(io.BytesIO(png)).convert("RGB"))


@pytest.fixture
def mixup(connection):
    return connection.open("mixup", batch=8, seed=3, run="look")


def test_peek_is_the_cli_s_picture(server, mixup, tmp_path):
    picture = mixfeed.peek(mixup, step=2, rows=5, scale=2)
    out = tmp_path / "peek.png"
    cli(server, "peek", "--recipe", "mixup", "--batch", 8, "--seed", 3, "--run", "look", "--step", 2, "--rows", 5,
        "--scale", 2, "--out", out)
    assert picture.png == out.read_bytes() and picture._repr_png_() == picture.png
    picture.save(tmp_path / "saved.png")
    assert (tmp_path / "saved.png").read_bytes() == picture.png


def test_peek_without_a_step_shows_one_that_is_visibly_mixed(server, connection, tmp_path):
    feed = connection.open("cutmix", batch=8, run="look")
    step = next(i for i in range(64) if any(0.3 <= row["lambda"] <= 0.7 and row["partner"] != index
                                            for index, row in enumerate(mixfeed.explain(feed, step=i)["rows"])))
    assert mixfeed.peek(feed).png == mixfeed.peek(feed, step=step).png
    out = tmp_path / "peek.png"
    cli(server, "peek", "--recipe", "cutmix", "--batch", 8, "--run", "look", "--out", out)
    assert mixfeed.peek(feed).png == out.read_bytes()


def test_a_picture_is_an_array(mixup):
    picture = mixfeed.peek(mixup)
    assert picture.array.dtype == np.uint8 and (picture.array == decoded(picture.png)).all()
    assert (np.asarray(picture) == picture.array).all() and np.asarray(picture, np.float32).dtype == np.float32
    with pytest.raises(mixfeed.DataLoss):
        mixfeed.Picture(b"no picture").array


def test_a_picture_is_a_matplotlib_figure(mixup):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    picture = mixfeed.peek(mixup, rows=3)
    figure = picture.figure()
    height, width, _ = picture.array.shape
    assert figure.get_size_inches() * figure.dpi == pytest.approx([width, height])
    (shown,) = figure.axes[0].get_images()
    assert (shown.get_array() == picture.array).all()


def test_peek_of_a_connection_opens_a_feed(connection):
    peeked = mixfeed.peek(connection, "mixmatch", labels=100, batch=8, model="small", rows=2, step=5)
    assert peeked.png.startswith(PNG)  # guessed with the newest weights: nobody pushes those of step 5


def test_what_peek_does_not_take(connection, mixup):
    with pytest.raises(TypeError, match="a feed has its recipe"):
        mixfeed.peek(mixup, "mixmatch")
    with pytest.raises(TypeError, match="a feed has its recipe"):
        mixfeed.peek(mixup, alpha=1)
    with pytest.raises(TypeError, match="neither"):
        mixfeed.peek("127.0.0.1:50051")
    for name, value in (("rows", 0), ("rows", 257), ("scale", 0), ("scale", 9), ("step", -1)):
        with pytest.raises(mixfeed.InvalidArgument, match=f"^{name}: {value} given"):
            mixfeed.peek(mixup, **{name: value})
    with pytest.raises(mixfeed.InvalidArgument, match="no-such"):
        mixfeed.peek(connection, "no-such")


def test_explain_is_the_plan_of_the_batch(server, mixup):
    plan = mixfeed.explain(mixup, step=4)
    batch = mixup[4]
    rows = [plan["rows"][index] for index in plan["order"]]
    assert plan["step"] == 4 and [row["sample"] for row in rows] == batch.sample_ids.tolist()
    assert [row["partner"] for row in rows] == batch.partner.tolist()
    assert np.allclose([row["lambda"] for row in rows], batch.lam)
    arguments = ["explain", "--recipe", "mixup", "--batch", 8, "--seed", 3, "--run", "look", "--step", 4]
    assert plan.text == cli(server, *arguments) and plan.data == json.loads(cli(server, *arguments, "--json"))
    assert repr(plan) == str(plan) == plan.text.rstrip("\n")


def test_split_is_what_the_batches_are_drawn_from(connection, server):
    feed = connection.open("mixmatch", validation=50, **MIXMATCH)
    split = mixfeed.split(feed)
    assert (len(split.labelled), len(split.unlabelled), len(split.validation)) == (100, 350, 50)
    assert sorted(np.concatenate([split.labelled, split.unlabelled, split.validation])) == list(range(500))
    batch = feed[0]
    assert set(batch.sample_ids[batch.pool == mixfeed.Pool.LABELLED]) <= set(split.labelled)
    assert set(batch.sample_ids[batch.pool == mixfeed.Pool.UNLABELLED]) <= set(split.unlabelled)
    assert split.labelled.dtype == split.unlabelled.dtype == split.validation.dtype == np.int64
    assert split.text == cli(server, "split", "--labels", 100, "--validation", 50)


def test_recipes_are_the_cli_s():
    assert mixfeed.recipes().text == run_cli("recipes")
    names = [recipe["name"] for recipe in mixfeed.recipes()]
    assert names == [recipe["name"] for recipe in json.loads(run_cli("recipes", "--json"))]
    assert mixfeed.show_recipe("mixmatch").text == run_cli("recipes", "show", "mixmatch")
    edited = mixfeed.show_recipe("mixup", set={"recipe.mix.alpha": 0.5})
    (alpha,) = [field for field in edited["fields"] if field["path"] == "recipe.mix.alpha"]
    assert alpha["value"] == "0.5"
    names = ("mixmatch", "mixmatch/yu1ut")
    assert mixfeed.diff_recipes(*names).text == run_cli("recipes", "diff", *names)
    edited = mixfeed.diff_recipes("mixup", set={"recipe.mix.alpha": 0.5})
    (changed,) = [field for field in edited if field["path"] == "recipe.mix.alpha"]
    assert (changed["a"]["value"], changed["b"]["value"]) == ("1", "0.5")


def test_recipes_that_there_are_not():
    with pytest.raises(mixfeed.NotFound, match="dance"):
        mixfeed.show_recipe("dance")
    with pytest.raises(mixfeed.InvalidArgument, match="recipe.mix.beat"):
        mixfeed.show_recipe("mixup", set={"recipe.mix.beat": 1})
    with pytest.raises(TypeError, match="second recipe"):
        mixfeed.diff_recipes("mixup")


def test_models_are_listed(connection, server):
    listed = mixfeed.models(connection)
    assert listed.text == cli(server, "model", "list")
    assert "small" in [model["name"] for model in listed["models"]]


def test_model_stats_count_what_was_guessed(connection):
    feed = connection.open("mixmatch", validation=40, **MIXMATCH)
    with pytest.raises(mixfeed.FailedPrecondition, match="nothing to draw"):
        mixfeed.model_stats(feed, validate=0).png
    assert mixfeed.model_stats(feed, validate=0)._repr_png_() is None
    batches = [feed[step] for step in range(5)]
    stats = mixfeed.model_stats(feed)
    (span,) = stats["spans"]
    assert (span["steps"], span["images"]) == (5, 40)
    assert span["sharpened_confidence"] == pytest.approx(np.mean([batch.confidence for batch in batches]), abs=1e-6)
    assert span["validation"]["images"] == 40
    assert stats.png.startswith(PNG) and stats.png == stats._repr_png_()
    with pytest.raises(mixfeed.InvalidArgument, match="validate: 17 given"):
        mixfeed.model_stats(feed, validate=17)
    with pytest.raises(mixfeed.FailedPrecondition, match="does not guess"):
        mixfeed.model_stats(connection.open("mixup", batch=8))


def test_a_report_says_what_an_appendix_needs(connection, server):
    feed = connection.open("mixmatch", seed=7, split_seed=2, temperature=0.4, **MIXMATCH)
    ages = [feed[step].guess_age for step in range(6)]
    report = mixfeed.report(feed)
    info = connection.info()
    lists = cli(server, "split", "--labels", 100, "--split-seed", 2)
    assert report["feed_id"] == feed.info.feed_id and report["run"] == feed.run
    assert report["recipe"] == "mixmatch" and report["plan_version"] == feed.info.spec["plan_version"]
    assert report["seeds"] == {"seed": 7, "split_seed": 2}
    assert report["split"]["sha256"] == hashlib.sha256(lists.encode()).hexdigest()
    assert (report["split"]["labelled"], report["split"]["unlabelled"]) == (100, 400)
    (dataset,) = info["datasets"]
    assert report["dataset"]["fingerprint"] == dataset["fingerprint"] and report["dataset"]["name"] == "cifar"
    assert report["builds"]["server"] == info["version"] and report["builds"]["device"] == info["device"]
    assert "libtorch" in report["builds"]["environment"]
    assert report["policy"]["policy"] == "newest" and report["policy"]["temperature"] == 0.4
    assert report["served"]["below_step"] == 6 and report["served"]["batches"] == 6
    assert sum(bin["steps"] for bin in report["guesses"]["staleness"]) == len(ages)
    for bin in report["guesses"]["staleness"]:
        assert bin["steps"] == sum(bin["age_first"] <= age <= bin["age_last"] for age in ages)
    (model,) = [m for m in report["models"] if m["name"] == "small"]
    assert len(model["weights"]) == 32 and len(model["digest"]) == 32
    again = connection.open(spec=report["spec"], run=report["run"])
    assert again.info.feed_id == report["feed_id"]
    for said in (feed.run, dataset["fingerprint"], model["weights"], report["split"]["sha256"], info["device"],
                 "recipe.guess.temperature = 0.4    # mixmatch has 0.5"):
        assert said in report.text


def test_a_report_is_the_cli_s(connection, server):
    feed = connection.open("mixmatch", run="reported", **MIXMATCH)
    feed[0]
    report = mixfeed.report(feed)
    for which in (["--feed", feed.info.feed_id], ["--run", "reported"]):
        assert cli(server, "report", *which) == report.text
        assert json.loads(cli(server, "report", *which, "--json")) == report.data


def test_a_report_on_a_feed_without_guesses(connection):
    report = mixfeed.report(connection.open("mixup", batch=8))
    assert report["policy"] is None and report["guesses"] is None and report["models"] == []
    assert report["served"] == {"batches": 0, "below_step": 0} and "Guesses" not in report.text


def test_staleness_is_of_the_weights_that_guessed(connection, server):
    cli(server, "model", "register", "never-pushed", "--kind", "resnet-small")
    feed = connection.open("mixmatch", **{**MIXMATCH, "model": "never-pushed"})
    for step in (0, 1, 3, 9):
        assert feed[step].guess_age == step
    bins = mixfeed.report(feed)["guesses"]["staleness"]
    found = [(bin["age_first"], bin["age_last"], bin["steps"]) for bin in bins]
    assert found == [(0, 0, 1), (1, 1, 1), (2, 3, 1), (4, 7, 0), (8, 15, 1)]


def test_the_law_of_lambda():
    law = mixfeed.plot_lambda("mixmatch")
    assert law["law"] == "Beta(0.75, 0.75)" and law["floored"]["mean"] == pytest.approx(0.778, abs=0.005)
    assert law.text == run_cli("lambda", "--recipe", "mixmatch")
    assert (law.array == decoded(law.png)).all()
    assert mixfeed.plot_lambda(law="uniform", low=0.5, high=1)["drawn"]["mean"] == pytest.approx(0.75, abs=0.005)
    assert mixfeed.plot_lambda(seed=1)["drawn"] != mixfeed.plot_lambda()["drawn"]
    assert mixfeed.plot_lambda(draws=100)["draws"] == 100
    with pytest.warns(UserWarning, match="^low has no effect"):
        mixfeed.plot_lambda(low=0.2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mixfeed.plot_lambda(alpha=2, beta=3)


@pytest.mark.parametrize("values, message", [
    (dict(alpha=0.001), "alpha is 0.001; allowed: 0.01..101"), (dict(beta=102), "beta is 102"),
    (dict(alpha=math.nan), "alpha is nan"), (dict(law="normal"), 'law is "normal"; allowed: beta, uniform'),
    (dict(low=-1), "low is -1; allowed: 0..1"), (dict(high=2), "high is 2"),
    (dict(draws=99), "draws is 99; allowed: 100"),
    (dict(low=0.75, high=0.5), "low is 0.75; allowed: at most high, 0.5"),
    (dict(recipe="supervised"), 'recipe is "supervised"; allowed: a recipe that mixes'),
    (dict(seed=-1), "seed: -1 given"),
])
def test_laws_that_there_are_not(values, message):
    with pytest.raises(mixfeed.InvalidArgument, match=message):
        mixfeed.plot_lambda(**values)


def test_sharpening():
    made = mixfeed.plot_sharpening([0.6, 0.3, 0.1], temperatures=[1, 0.5])
    assert made["sharpened"][1]["probabilities"][0] == pytest.approx(36 / 46, abs=1e-6)
    assert made.png.startswith(PNG)
    assert len(mixfeed.plot_sharpening(classes=7)["probabilities"]) == 7
    for arguments, message in ((([1.0],), "number of probabilities is 1"), (([0.5, 0.6],), "probabilities: "),
                               (([0.5, 0.5], "temperatures", [0.001]), "temperature is 0.001"),
                               (([0.5, 0.5], "temperatures", []), "number of temperatures is 0"),
                               ((None, "classes", 101), "classes: 101 given")):
        with pytest.raises(mixfeed.InvalidArgument, match=message):
            mixfeed.plot_sharpening(arguments[0], **dict([arguments[1:]] if arguments[1:] else []))


def test_vicinity():
    made = mixfeed.plot_vicinity(["mixup", "none", "mixup"], labelled="few", seed=2)
    assert [rule["rule"] for rule in made["rules"]] == ["mixup", "none"] and made["labelled"] == 20
    assert made.text == run_cli("vicinity", "--rules", "mixup,none", "--labelled", "few", "--seed", 2)
    assert made.png.startswith(PNG)
    assert mixfeed.plot_vicinity(["none"], points=30, labelled=7)["labelled"] == 7
    for arguments, message in ((dict(rules=["chaos"]), 'rules is "chaos"'), (dict(shape="stars"), 'shape is "stars"'),
                               (dict(labelled="some"), "labelled: 'some' is not few"), (dict(alpha=0), "alpha is 0"),
                               (dict(noise=2), "noise is 2"), (dict(points=1), "points is 1"),
                               (dict(neighbours=0), "neighbours is 0"), (dict(point=300), "point is 300")):
        with pytest.raises(mixfeed.InvalidArgument, match=message):
            mixfeed.plot_vicinity(**arguments)


def test_what_users_meet_is_described():
    for name in mixfeed.__all__:
        thing = getattr(mixfeed, name)
        parts = vars(thing).items() if isinstance(thing, type) else ()
        bare = [part for part, value in parts if not part.startswith("_")
                and (callable(value) or isinstance(value, property)) and not value.__doc__]
        assert thing.__doc__ and not bare, (name, bare)
    assert mixfeed.__version__ in (CHECKOUT / "CMakeLists.txt").read_text()


def test_drawing_takes_figures_only():
    from mixfeed import _draw
    with pytest.raises(TypeError):
        _draw.draw(object())


def black_png(width, height, said=None):
    """A PNG, whose head may say another size, (width, height), than it has."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", *(said or (width, height)), 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(height * (1 + 3 * width)))
    return PNG + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_opencv_s_errors_are_the_package_s():
    assert mixfeed.Picture(black_png(5, 4)).array.shape == (4, 5, 3)
    with pytest.raises(mixfeed.Internal, match="png: OpenCV"):
        mixfeed.Picture(black_png(5, 4, said=(10**6, 10**6))).array


def lets_others_run(action):
    """Whether another thread comes to run during action(): no thread is made to give up the interpreter, so that
    action() must have let go of it."""
    turns, done = 0, threading.Event()

    def take_turns():
        nonlocal turns
        while not done.is_set():
            turns += 1
            time.sleep(0)  # lets go of the interpreter

    other = threading.Thread(target=take_turns)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(3600)
    try:
        other.start()
        before = turns
        action()
        return turns > before
    finally:
        done.set()
        sys.setswitchinterval(interval)
        other.join()


def test_other_threads_run_while_it_draws():
    from mixfeed import _draw
    large = black_png(4000, 3000)
    figure = mixfeed.plot_vicinity()._figure
    assert not lets_others_run(lambda: sum(range(10**6)))
    for draws in (lambda: _draw.decode(large), lambda: _draw.draw(figure)):
        wait_until(lambda: lets_others_run(draws))  # on a busy machine the other thread may come too late


def test_the_package_loads_opencv_only_to_draw():
    script = "import mixfeed; mixfeed.recipes(); print('opencv' in open('/proc/self/maps').read())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
