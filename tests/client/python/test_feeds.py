"""Going through feeds, what they are opened with, and what is refused."""
import contextlib
import inspect
import itertools
import pickle
import subprocess
import sys

import mixfeed
import numpy as np
import pytest
from mixfeed import _core

from conftest import TEST_IMAGES, TRAIN_IMAGES, wait_until


def steps_of(feed):
    return [batch.step for batch in feed]


def test_an_endless_feed_goes_on_and_has_no_length(connection):
    feed = connection.open("mixup", batch=8)
    assert [batch.step for batch in itertools.islice(feed, 20)] == list(range(20))
    with pytest.raises(TypeError, match="endless"):
        len(feed)
    assert feed.steps_per_epoch == 1024 and feed.steps is None


def test_steps_end_a_feed(connection):
    feed = connection.open("mixup", batch=8, steps=5)
    assert len(feed) == 5 and steps_of(feed) == steps_of(feed) == [0, 1, 2, 3, 4]
    assert steps_of(connection.open("mixup", batch=8, steps=5, from_step=3)) == [3, 4]
    iterator = iter(feed)
    assert len(list(iterator)) == 5 and list(iterator) == []


@pytest.mark.parametrize("sharing, steps, rows", [("round-robin", [1, 4], 8), ("broadcast", [0, 1, 2, 3, 4, 5], 8),
                                                  ("split", [0, 1, 2, 3, 4, 5], 2)])
def test_trainers_share_a_feed(connection, sharing, steps, rows):
    world = 4 if sharing == "split" else 3
    feed = connection.open("mixup", batch=8, run="shared", steps=6, rank=1, world=world, sharing=sharing)
    batches = list(feed)
    assert [b.step for b in batches] == steps and len(feed) == len(steps)
    assert {b.rows for b in batches} == {rows}
    whole = connection.open("mixup", batch=8, run="shared")[steps[1]]
    assert np.array_equal(batches[1].images, whole.images[batches[1].row])
    assert np.array_equal(feed[steps[1]].images, batches[1].images)


def test_a_step_by_itself_is_that_of_the_loop(connection):
    feed = connection.open("mixup", batch=8, steps=4)
    assert [feed[batch.step].digest() == batch.digest() for batch in feed] == [True] * 4
    assert feed[np.int64(2)].step == 2
    for step in (-1, 4):
        with pytest.raises(IndexError, match=f"step: {step} given"):
            feed[step]
    with pytest.raises(TypeError):
        feed[1:2]


def test_steps_from_goes_on_elsewhere(connection):
    iterator = connection.open("mixup", batch=8, rank=1, world=2).steps_from(4)
    assert iterator.next_step == 5
    assert next(iterator).step == 5 and iterator.next_step == 7


@pytest.mark.parametrize("pool, partition, images", [("test", "test_batch", TEST_IMAGES), ("valid", None, 30)])
def test_eval_is_one_ordered_pass(connection, server, pool, partition, images):
    feed = connection.open("mixmatch", labels=50, validation=30, batch=16, dtype="uint8", sharing="split", world=2)
    passed = feed.eval(pool)
    batches = list(passed)
    assert len(passed) == len(batches) == -(-images // 16)
    assert batches[-1].rows == images % 16 and passed.info.steps == len(batches)
    ids = np.concatenate([b.sample_ids for b in batches])
    names = [partition] if partition else [f"data_batch_{i}" for i in range(1, 6)]
    records = np.concatenate([np.fromfile(server.work / "cifar" / f"{n}.bin", np.uint8).reshape(-1, 3073) for n in names])
    assert np.array_equal(ids, np.arange(images)) if partition else len(set(ids)) == images
    assert np.array_equal(np.concatenate([b.images for b in batches]).reshape(images, -1), records[ids, 1:])
    assert np.array_equal(np.concatenate([b.targets for b in batches]).argmax(1), records[ids, 0])


def test_eval_takes_its_own_batch_and_a_known_pool(connection):
    feed = connection.open("mixup", batch=8)
    assert [b.rows for b in feed.eval(batch=60)] == [60, 40]
    assert sum(b.rows for b in feed.eval("labelled", batch=100)) == TRAIN_IMAGES
    with pytest.raises(ValueError, match="pool: 'train'"):
        feed.eval("train")
    with pytest.raises(mixfeed.FailedPrecondition):
        feed.eval("valid")  # nothing was held out


def test_info_is_what_the_server_says(connection):
    info = connection.open("mixmatch", labels=50, validation=30, batch=8, run="told").info
    assert info.run == "told" and len(info.feed_id) == 32 and info.steps is None
    assert (info.rows, info.classes, info.image_shape) == (24, 10, (3, 32, 32))
    assert (info.labelled_images, info.unlabelled_images, info.validation_images) == (50, 420, 30)
    assert info.spec["recipe"]["views"] == 2
    assert connection.info()["datasets"][0]["name"] == "cifar"


def test_every_setting_of_the_cli_is_a_keyword(connection):
    keywords = inspect.signature(connection.open).parameters
    assert {name.replace("-", "_") for name in _core.setting_names()} <= set(keywords)
    spec = connection.open("mixmatch", labels=50, batch=8, seed=7, split_seed=3, validation=20, views=3, temperature=0.25,
                           alpha=0.5, dataset="cifar", model=["small"], policy="delayed:4", statistics="running",
                           weights="pushed", set={"recipe.mix.mode": "xx.yy", "recipe.mix.layers": [0],
                                                  "recipe.interleave": True}).info.spec
    recipe = spec["recipe"]
    assert (spec["split"]["labelled"], spec["split"]["seed"], spec["split"]["validation"]) == ("50", "3", "20")
    assert (spec["seed"], spec["batch"], spec["dataset"]) == ("7", 8, "cifar")
    assert (recipe["views"], recipe["guess"]["temperature"], recipe["mix"]["alpha"]) == (3, 0.25, 0.5)
    assert (recipe["guess"]["model"], recipe["guess"]["policy"], recipe["guess"]["delay"]) == ("small", "DELAYED", 4)
    assert recipe["guess"]["batch_statistics"] is False and recipe["guess"]["ema"] is False
    assert (recipe["mix"]["mode"], recipe["interleave"]) == ("XX_YY", True)
    ordered = connection.open("eval", pool="labelled", labels="all").info
    assert ordered.spec["recipe"]["ordered_pool"] == "LABELLED" and ordered.labelled_images == TRAIN_IMAGES


def test_a_whole_spec_can_be_given(connection):
    feed = connection.open("cutmix", batch=8, seed=5, run="again")
    again = connection.open(spec=feed.info.spec, run="again")
    assert again.info.feed_id == feed.info.feed_id
    assert connection.open(spec=feed.info.spec, seed=6, run="again").info.feed_id != feed.info.feed_id


def test_types_of_numpy_are_names_too(connection):
    assert connection.open("mixup", batch=4, dtype=np.uint8)[0].images.dtype == np.uint8
    assert connection.open("mixup", batch=np.int32(4), dtype=np.dtype("float16"))[0].images.dtype == np.float16
    unmixed = connection.open("mixup", batch=4, set={"recipe.mix.enabled": np.bool_(False)})
    assert unmixed.info.spec["recipe"]["mix"]["enabled"] is False


def test_other_options_are_given_as_to_open(connection):
    feed = connection.open("mixup", batch=4, dtype=np.float16, normalise="cifar10")
    assert feed.with_options(dtype=np.uint8, normalise=None)[0].images.dtype == np.uint8
    assert feed.with_options(dtype=np.dtype("float32"))[0].images.dtype == np.float32
    for name in ("layout", "normalise", "targets", "sharing"):
        with pytest.raises(TypeError, match=f"^{name}: 5 is no text"):
            feed.with_options(**{name: 5})


def test_other_options_have_the_same_batches(connection):
    feed = connection.open("mixup", batch=8, steps=4)
    other = feed.with_options(dtype="uint8", rank=1, world=2)
    assert other.info.feed_id == feed.info.feed_id and steps_of(other) == [1, 3]
    assert np.array_equal(other[2].targets, feed[2].targets)


def test_a_feed_can_be_pickled(connection):
    feed = connection.open("mixup", batch=8, steps=3)
    digests = [batch.digest() for batch in feed]
    assert [batch.digest() for batch in pickle.loads(pickle.dumps(feed))] == digests


@pytest.mark.parametrize("arguments, error, message", [
    (dict(lables=5), TypeError, "'lables'; did you mean 'labels'"),
    (dict(recepie="mixup"), TypeError, "did you mean 'recipe'"),
    (dict(labels=0), ValueError, "labels: '0' is not all or a whole number"),
    (dict(labels=1.5), ValueError, "labels: '1.5'"),
    (dict(seed=-1), ValueError, "seed: '-1'"),
    (dict(policy="sometimes"), ValueError, "policy: 'sometimes' is not lockstep"),
    (dict(weights="old"), ValueError, "weights: 'old'"),
    (dict(pool="all"), ValueError, "pool: 'all'"),
    (dict(views=b"2"), TypeError, "b'2' is no text"),
    (dict(model=object()), TypeError, "is no text"),
    (dict(dtype="int4"), ValueError, "dtype: 'int4' is not one of uint8, float16, bfloat16, float32"),
    (dict(layout="chwn"), ValueError, "layout: 'chwn' is not one of nchw, nhwc"),
    (dict(targets="hard"), ValueError, "targets: 'hard'"),
    (dict(sharing="both"), ValueError, "sharing: 'both' is not one of round-robin, broadcast, split"),
    (dict(rank=2, world=2), ValueError, "rank: 2 given, must be below the world of 2"),
    (dict(world=0), ValueError, "world: 0"),
    (dict(rank=-1), ValueError, "rank: -1 given"),
    (dict(prefetch=0), ValueError, "prefetch: 0"),
    (dict(prefetch=1.5), TypeError, "prefetch: 1.5 is no whole number"),
    (dict(steps=-1), ValueError, "steps: -1"),
    (dict(from_step="one"), TypeError, "from_step: 'one'"),
    (dict(steps_per_epoch=0), ValueError, "steps_per_epoch: 0"),
    (dict(set={"recipe.mix.alhpa": 1}), ValueError, "did you mean recipe.mix.alpha"),
    (dict(set={"recipe.mix.alpha": "much"}), ValueError, "recipe.mix.alpha: 'much' is not a number"),
    (dict(set={"recipe.mix.alpha": None}), TypeError, "None"),
    (dict(spec={"recipe": 5}), ValueError, "spec: not a FeedSpec"),
])
def test_what_is_wrong_is_said_at_once(arguments, error, message):
    with pytest.raises(error) as raised:
        mixfeed.connect("127.0.0.1:9").open(**arguments)  # nobody listens there, and nobody is asked
    assert message in str(raised.value)


@pytest.mark.parametrize("arguments, error, builtin, message", [
    (dict(recipe="mixmach"), mixfeed.InvalidArgument, ValueError, "mixmach"),
    (dict(recipe="mixup", dataset="cats"), mixfeed.NotFound, LookupError, "cats"),
    (dict(recipe="mixup", batch=100000), mixfeed.InvalidArgument, ValueError, "batch"),
    (dict(recipe="mixmatch", labels=50, batch=8, model="large"), mixfeed.FailedPrecondition, RuntimeError, "large"),
    (dict(recipe="mixmatch", labels=50, batch=8, targets="pairs"), mixfeed.InvalidArgument, ValueError, "pairs"),
    (dict(recipe="mixup", normalise="loud"), mixfeed.InvalidArgument, ValueError, "loud"),
])
def test_what_the_server_refuses_has_a_type_of_its_own(connection, arguments, error, builtin, message):
    feed = connection.open(**arguments)
    for use in (lambda: feed[0], lambda: next(iter(feed))):
        with pytest.raises(error) as raised:
            use()
        assert isinstance(raised.value, builtin) and isinstance(raised.value, mixfeed.Error)
        assert message in raised.value.message


def test_no_server_is_said_with_its_address():
    feed = mixfeed.connect("127.0.0.1:9", wait=0.2).open("mixup")
    with pytest.raises(mixfeed.Unavailable, match="127.0.0.1:9") as raised:
        feed.info
    assert isinstance(raised.value, ConnectionError) and "mixfeed-server" in raised.value.hint
    for name, value in (("wait", 0), ("deadline", float("nan"))):
        with pytest.raises(ValueError, match=name):
            mixfeed.connect("127.0.0.1:9", **{name: value})
    with pytest.raises(ValueError, match="no.pem"):
        mixfeed.connect("127.0.0.1:9", tls_ca="no.pem").info()


def test_a_late_answer_is_a_timeout(server):
    impatient = mixfeed.connect(server.address, deadline=0.2)
    feed = impatient.open("mixmatch", labels=50, batch=8)  # lockstep: step 1 waits for a push

    def opened():
        with contextlib.suppress(mixfeed.DeadlineExceeded):  # on a busy machine
            return feed.info

    wait_until(opened)
    with pytest.raises(TimeoutError) as raised:
        feed[1]
    assert type(raised.value) is mixfeed.DeadlineExceeded and "push_weights" in raised.value.hint


def test_the_server_of_the_environment_is_asked(server, monkeypatch):
    monkeypatch.setenv("MIXFEED_SERVER", server.address)
    assert mixfeed.connect().server == server.address
    assert mixfeed.connect().info()["version"]
    monkeypatch.delenv("MIXFEED_SERVER")
    assert mixfeed.connect().server == "127.0.0.1:50051"


def test_errors_can_be_pickled_and_fit_their_builtins():
    for code, error in mixfeed._errors._BY_CODE.items():
        made = mixfeed._errors.from_status(code, b"why \xff")
        again = pickle.loads(pickle.dumps(made))
        assert type(again) is error and str(again) == str(made) and again.message == "why \ufffd"
    assert issubclass(mixfeed.OutOfRange, IndexError) and issubclass(mixfeed.PermissionDenied, PermissionError)


def test_torch_is_not_imported():
    subprocess.run([sys.executable, "-c", "import mixfeed, sys; assert 'torch' not in sys.modules"], check=True)
