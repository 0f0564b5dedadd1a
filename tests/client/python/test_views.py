"""A trainer's own guesses: views, and the batch that is mixed of them, against what the server sends."""
import gc

import mixfeed
import numpy as np
import pytest

from conftest import run_cli

K, B, CLASSES = 2, 8, 10


def open_feed(connection, run, recipe="mixmatch", **arguments):
    given = dict(labels=50, validation=20, batch=B, model="small", policy="newest", run=run, seed=3)
    return connection.open(recipe, **{**given, **arguments})


def shown_guesses(connection, run, step, views, recipe="mixmatch", **settings):
    """[n_unlabelled, classes]: a feed that mixes nothing shows them as its targets; one model guesses alike for both.
    """
    unmixed = open_feed(connection, run + "-unmixed", recipe, set={"recipe.mix.enabled": False, **settings})[step]
    guesses = np.zeros((views.n_unlabelled, CLASSES), np.float32)
    for row, target in zip(unmixed.row, unmixed.targets):
        if views.guess[row] >= 0:
            guesses[views.guess[row]] = target
    return guesses


@pytest.mark.parametrize("recipe, settings", [("mixmatch", {}), ("mixmatch", {"recipe.interleave": True}),
                                              ("mixmatch/yu1ut", {}), ("mixmatch", {"recipe.views": 3}),
                                              ("mixmatch", {"recipe.mix.mode": "xx.yy"}), ("ict", {})])
def test_the_server_s_guesses_mix_to_the_server_s_batch(connection, recipe, settings):
    run = "own-" + recipe.replace("/", "-") + "".join(settings).replace(".", "-")
    feed = open_feed(connection, run, recipe, set=settings)
    for step in range(2):
        views = feed.views(step)
        mixed = feed.mix(step, guesses=shown_guesses(connection, run, step, views, recipe, **settings))
        served = feed[step]
        assert mixed.digest() == served.digest() and mixed.step == step
        assert mixed.images.tobytes() == served.images.tobytes() and np.array_equal(mixed.targets, served.targets)
        assert np.array_equal(mixed.partner, served.partner) and mixed.lambda_u == served.lambda_u
        assert mixed.guess_model is None and served.guess_model == "small"


@pytest.mark.parametrize("options", [dict(dtype="uint8"), dict(dtype="float16", normalise="unit"), dict(layout="nhwc"),
                                     dict(normalise="cifar10")])
def test_own_batches_have_the_feed_s_format(connection, options):
    feed = open_feed(connection, "formats", **options)
    views = feed.views(1)
    mixed = feed.mix(1, guesses=shown_guesses(connection, "formats", 1, views))
    served = feed[1]
    assert mixed.images.dtype == served.images.dtype and mixed.images.shape == served.images.shape
    assert np.array_equal(mixed.images, served.images) and mixed.digest() == served.digest()


def test_views_are_the_images_before_mixing(connection):
    feed = open_feed(connection, "seen")
    views = feed.views(2)
    unmixed = open_feed(connection, "seen-unmixed", set={"recipe.mix.enabled": False})[2]
    assert (views.n_labelled, views.n_unlabelled, views.n_views, views.rows) == (B, B, K, (K + 1) * B)
    assert (views.step, views.classes, views.temperature) == (2, CLASSES, 0.5)
    assert views.labelled_images().shape == (B, 3, 32, 32) and views.unlabelled_images().shape == (K, B, 3, 32, 32)
    assert np.array_equal(views.labelled_images(), unmixed.images[:B])
    assert np.array_equal(views.unlabelled_images().reshape(-1, 3, 32, 32), unmixed.images[B:])
    assert views.pixels.dtype == np.uint8 and views.pixels.shape == ((K + 1) * B, 3, 32, 32)
    assert np.allclose(views.pixels[:B] / 127.5 - 1, views.labelled_images(), atol=1e-6)
    assert np.array_equal(views.targets[:B], unmixed.targets[:B]) and not views.targets[B:].any()
    assert np.array_equal(views.sample_ids, unmixed.sample_ids) and np.array_equal(views.pool, unmixed.pool)
    assert np.array_equal(views.view, unmixed.view)
    assert list(views.guess) == [-1] * B + list(range(B)) * K
    assert views.digest() == feed.views(2).digest() != feed.views(3).digest()
    assert "step 2" in repr(views)


def test_views_have_the_feed_s_layout_and_type(connection):
    plain = open_feed(connection, "laid").views(0).unlabelled_images()
    turned = open_feed(connection, "laid", layout="nhwc", dtype="float16").views(0).unlabelled_images()
    assert turned.dtype == np.float16 and turned.shape == (K, B, 32, 32, 3)
    assert np.allclose(turned.transpose(0, 1, 4, 2, 3), plain, atol=1e-3)
    narrow = open_feed(connection, "laid", dtype="bfloat16").views(0).unlabelled_images()
    assert narrow.shape == plain.shape and narrow.dtype == "bfloat16"


def test_arrays_of_views_are_the_memory_they_came_in(connection):
    feed = open_feed(connection, "memory")
    views = feed.views(0)
    pixels = views.pixels
    assert pixels.ctypes.data % 64 == 0 and pixels.ctypes.data == views.pixels.ctypes.data and not pixels.flags.owndata
    before = pixels.copy()
    with views:
        assert not views.released
    assert views.released and "released" in repr(views)
    for use in (lambda: views.pixels, lambda: views.labelled_images(), lambda: views.n_views, views.digest):
        with pytest.raises(mixfeed.BatchReleased):
            use()
    del views
    gc.collect()
    others = [feed.views(step) for step in range(1, 8)]  # would be written over the memory, were it free
    assert np.array_equal(pixels, before)
    assert all(other.pixels.ctypes.data != pixels.ctypes.data for other in others)
    mixed = feed.mix(7, guesses=np.full((B, CLASSES), 0.1))  # of released views new ones are fetched
    others[-1].release()
    assert feed.mix(7, guesses=np.full((B, CLASSES), 0.1)).digest() == mixed.digest()


def some_probabilities(shape=(K, B, CLASSES), seed=0):
    return np.random.RandomState(seed).dirichlet(np.ones(CLASSES), shape[:-1])


def sharpened(probabilities, temperature=0.5):
    mean = probabilities.mean(0) ** (1 / temperature)
    return mean / mean.sum(1, keepdims=True)


@pytest.mark.parametrize("kind", ["float64", "float32", "float16", "torch", "torch-half", "torch-gradient", "list"])
def test_probabilities_are_averaged_and_sharpened(connection, kind):
    probabilities = some_probabilities()
    given = probabilities
    if kind.startswith("torch"):
        torch = pytest.importorskip("torch", reason="PyTorch is not installed")
        given = torch.from_numpy(probabilities).to(torch.bfloat16 if kind == "torch-half" else torch.float32)
        probabilities = given.double().numpy()
        given.requires_grad_(kind == "torch-gradient")
    elif kind != "list":
        given = probabilities.astype(kind)
    else:
        given = probabilities.tolist()
    if kind == "torch-half":  # rows of bfloat16 sum to 1 within 0.4 %, of which 0.1 % is allowed
        given = given.double() / given.double().sum(-1, keepdim=True)
        probabilities = given.numpy()
    feed = open_feed(connection, "averaged")
    mixed = feed.mix(3, given)
    guesses = sharpened(np.asarray(probabilities, np.float64))
    expected = feed.mix(3, guesses=guesses)
    assert np.allclose(mixed.targets, expected.targets, atol=2e-4 if kind == "float16" else 1e-6)
    assert np.array_equal(mixed.images, expected.images)
    labels = feed.views(3).targets
    whole = np.concatenate([labels[:B], guesses, guesses])
    by_hand = mixed.lam[:, None] * whole[mixed.row] + (1 - mixed.lam[:, None]) * whole[mixed.partner]
    assert np.allclose(mixed.targets, by_hand, atol=2e-4 if kind == "float16" else 1e-6)
    assert np.array_equal(feed.mix(3, np.reshape(given, (K * B, CLASSES)) if kind in ("float64", "list") else
                                   given.reshape(K * B, CLASSES)).targets, mixed.targets)


def test_a_network_here_guesses_as_one_there(own_server, tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.manual_seed(5)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, 4), torch.nn.BatchNorm2d(8), torch.nn.Flatten(),
                              torch.nn.Linear(8 * 8 * 8, CLASSES))
    torch.jit.script(net).save(str(tmp_path / "net.pt"))
    run_cli("model", "register", "own", "--kind", "torchscript", "--file", tmp_path / "net.pt", "--server",
            own_server.address)
    feed = open_feed(mixfeed.connect(own_server.address), "here", model="own")
    served = feed[4]
    with torch.no_grad():  # one pass a view, with its batch statistics
        probabilities = torch.stack([net(torch.from_numpy(view)).softmax(1)
                                     for view in feed.views(4).unlabelled_images()])
    mixed = feed.mix(4, probabilities)
    assert np.array_equal(mixed.images, served.images) and np.allclose(mixed.targets, served.targets, atol=1e-5)
    assert np.array_equal(mixed.sample_ids, served.sample_ids)


def test_recipes_without_guesses_mix_with_none(connection):
    feed = connection.open("mixup", batch=8, run="plain")
    views = feed.views(1)
    assert (views.n_unlabelled, views.n_views, views.temperature) == (0, 0, 0)
    assert views.unlabelled_images().shape == (0, 0, 3, 32, 32)
    assert feed.mix(1, guesses=np.zeros((0, CLASSES))).digest() == feed[1].digest()
    assert feed.mix(1, np.zeros((0, 0, CLASSES))).digest() == feed[1].digest()


def test_views_survive_the_server_s_restart(own_server):
    feed = open_feed(mixfeed.connect(own_server.address), "restarted")
    views, guesses = feed.views(0), some_probabilities((B, CLASSES))
    expected = views.mix(guesses.astype(np.float32)).digest()
    own_server.kill()
    assert feed.mix(0, guesses=guesses).digest() == expected  # of what had been fetched
    own_server.start()
    assert feed.mix(0, guesses=guesses).digest() == expected  # fetched again
    own_server.restart()
    assert feed.views(0).digest() == views.digest()


def test_views_are_fetched_once(connection, monkeypatch):
    feed = open_feed(connection, "once")
    fetched, fetch = [], feed._fetched_views
    monkeypatch.setattr(feed, "_fetched_views", lambda step: fetched.append(step) or fetch(step))
    guesses = some_probabilities((B, CLASSES))
    feed.views(1)
    with pytest.raises(mixfeed.InvalidArgument):
        feed.mix(1, guesses=guesses[:2])
    feed.mix(1, guesses=guesses)
    assert fetched == [1]  # an error leaves them for the next try
    feed.mix(1, guesses=guesses)
    assert fetched == [1, 1]
    feed.views(2)
    feed.mix(3, guesses=guesses)
    feed.mix(2, guesses=guesses)
    assert fetched == [1, 1, 2, 3]


def uneven():
    probabilities = some_probabilities()
    probabilities[1, 2] *= 1.01
    return probabilities


def holding(value):
    probabilities = some_probabilities()
    probabilities[0, 3, 4] = value
    return probabilities


@pytest.mark.parametrize("arguments, error, message", [
    (dict(probabilities=some_probabilities((K, B - 1, CLASSES))), mixfeed.InvalidArgument,
     r"probabilities: shape \(2, 7, 10\) given, must be \(2, 8, 10\) or \(16, 10\), \[n_views, n_unlabelled"),
    (dict(probabilities=some_probabilities((B, CLASSES))), mixfeed.InvalidArgument, r"shape \(8, 10\) given"),
    (dict(guesses=some_probabilities()), mixfeed.InvalidArgument,
     r"guesses: shape \(2, 8, 10\) given, must be \(8, 10\), \[n_unlabelled, classes\]"),
    (dict(guesses=np.zeros((B, 3))), mixfeed.InvalidArgument, r"guesses: shape \(8, 3\)"),
    (dict(guesses=np.zeros((B, CLASSES), int)), mixfeed.InvalidArgument, "guesses: int64 given, must be floating"),
    (dict(guesses=np.zeros((B, CLASSES))), mixfeed.InvalidArgument, "guesses: .*sum"),
    (dict(probabilities=uneven()), mixfeed.InvalidArgument, "probabilities: .*sum"),
    (dict(probabilities=holding(np.nan)), mixfeed.InvalidArgument, "probabilities: .*finite"),
    (dict(probabilities=holding(np.inf)), mixfeed.InvalidArgument, "probabilities: .*finite"),
    (dict(probabilities=holding(-0.1)), mixfeed.InvalidArgument, "probabilities: "),
    (dict(), TypeError, "probabilities or guesses"),
    (dict(probabilities=some_probabilities(), guesses=some_probabilities((B, CLASSES))), TypeError, "one of them"),
])
def test_guesses_that_do_not_fit_are_refused(connection, arguments, error, message):
    feed = open_feed(connection, "refused")
    with pytest.raises(error, match=message):
        feed.mix(0, **arguments)


def test_what_cannot_be_guessed_here_is_refused(connection):
    with pytest.raises(mixfeed.InvalidArgument, match="sharing: 'split'"):
        open_feed(connection, "split", world=2, sharing="split").views(0)
    with pytest.raises(mixfeed.InvalidArgument, match="targets: 'pairs'"):
        connection.open("mixup", batch=8, targets="pairs").mix(0, guesses=np.zeros((0, CLASSES)))
    short = open_feed(connection, "short", steps=4)
    for step in (-1, 4):
        with pytest.raises(IndexError, match=f"step: {step} given, must be 0..3"):
            short.views(step)
        with pytest.raises(IndexError):
            short.mix(step, guesses=some_probabilities((B, CLASSES)))
    with pytest.raises(mixfeed.InvalidArgument, match="normalise: .*loud"):
        open_feed(connection, "loud", normalise="loud").views(0)
    with pytest.raises(mixfeed.InvalidArgument, match="uint8|raw"):
        open_feed(connection, "signed", normalise="signed", dtype="uint8").views(0)
