"""Connection.register_model and push_weights: models without PyTorch."""
import io

import mixfeed
import numpy as np
import pytest
from mixfeed._weights import named_array, to_safetensors


@pytest.fixture(scope="module")
def server(module_server):
    """Without the feeds and models of other tests."""
    return module_server


def test_a_built_in_network_guesses(connection):
    model = connection.register_model("built-in", "resnet-small", update=5, ema_decay=0.5, statistics="running",
                                      normalise="cifar10")
    assert (model["name"], model["kind"], model["classes"], model["update"]) == ("built-in", "resnet-small", 10, "5")
    assert (model["ema_decay"], model["batch_statistics"]) == (0.5, False)
    assert model["normalisation"]["name"] == "cifar10" and model["image"]["height"] == 32
    feed = connection.open("mixmatch", labels=50, batch=8, model="built-in", policy="newest", statistics="running")
    assert (feed[0].guess_model, feed[0].guess_update) == ("built-in", 5)


def test_its_weights_are_of_the_seed(connection):
    weights = [connection.register_model("seeded", "resnet-small", init_seed=seed)["weights"] for seed in (1, 1, 2)]
    assert weights[0] == weights[1] != weights[2]


def test_classes_and_image_may_be_others(connection):
    model = connection.register_model("grey", "resnet-small", classes=5, image=(1, 16, 24))
    assert model["classes"] == 5 and model["image"] == {"channels": 1, "height": 16, "width": 24}
    assert model["batch_statistics"] is True


def test_an_archive_is_a_file_or_bytes(connection, tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, 4), torch.nn.BatchNorm2d(4), torch.nn.Flatten(),
                              torch.nn.Linear(256, 10))
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(net), file)
    path = tmp_path / "net.pt"
    path.write_bytes(file.getvalue())
    made = [connection.register_model("archived", "torchscript", archive=given)
            for given in (path, str(path), file.getvalue())]
    assert len({model["weights"] for model in made}) == 1 and made[0]["kind"] == "torchscript"
    with pytest.raises(FileNotFoundError):
        connection.register_model("archived", "torchscript", archive=tmp_path / "absent.pt")


def test_another_server_s_model_is_asked_for(connection):
    with pytest.raises(mixfeed.Unavailable, match="127.0.0.1:9") as raised:
        connection.register_model("far", "kserve", address="127.0.0.1:9/net?deadline_ms=100")
    assert "the server that runs the model" in raised.value.hint


@pytest.mark.parametrize("arguments, error, message", [
    (dict(kind="resnet-huge"), mixfeed.InvalidArgument, "resnet-huge"),
    (dict(name="a b"), mixfeed.InvalidArgument, "a b"),
    (dict(statistics="own"), mixfeed.InvalidArgument, "statistics: 'own' given"),
    (dict(ema_decay=1.0), mixfeed.InvalidArgument, r"ema_decay: 1\.0 given"),
    (dict(classes=1), mixfeed.InvalidArgument, r"classes: 1 given, must be 2\.\.32767"),
    (dict(image=(3, 32)), mixfeed.InvalidArgument, r"image: \(3, 32\) given"),
    (dict(image=(3, 0, 32)), mixfeed.InvalidArgument, "image: 0 given"),
    (dict(update=-1), mixfeed.InvalidArgument, "update: -1"),
    (dict(init_seed=0.5), TypeError, "init_seed: 0.5"),
    (dict(normalise="loud"), mixfeed.InvalidArgument, "loud"),
    (dict(archive=b"none"), mixfeed.Error, "archive|weights"),
])
def test_what_does_not_fit_is_named(connection, arguments, error, message):
    with pytest.raises(error, match=message):
        connection.register_model(**{"name": "refused", "kind": "resnet-small", **arguments})
    assert "refused" not in {model["name"] for model in connection.info()["models"]}


def sure_of(label, dtype=np.float32):
    """Of the built-in network: whatever the image, the class."""
    return {"head.bias": np.asarray(np.eye(10)[label] * 1000, dtype)}


@pytest.fixture
def built_in(connection, request):
    """A model of the test's own."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.name)[:100]
    connection.register_model(name, "resnet-small")
    return name


def guessed(connection, model, step):
    feed = connection.open("mixmatch", labels=50, batch=8, model=model, policy="newest", run=f"{model}-pushed",
                           set={"recipe.mix.enabled": False})
    batch = feed[step]
    return set(batch.targets[batch.n_labelled:].argmax(1).tolist()), batch.guess_update


def test_arrays_bytes_and_files_are_pushed(connection, built_in, tmp_path):
    file = to_safetensors([named_array(*named) for named in sure_of(5).items()])
    (tmp_path / "weights.safetensors").write_bytes(file)
    for step, weights in enumerate([sure_of(3), sure_of(4, ">f8"), file, tmp_path / "weights.safetensors",
                                    str(tmp_path / "weights.safetensors")]):
        model = connection.push_weights(built_in, weights, update=step + 1, partial=True)
        assert (model["name"], model["version"], model["update"]) == (built_in, str(step + 1), str(step + 1))
        assert guessed(connection, built_in, step) == ({min(3 + step, 5)}, step + 1)
    with pytest.raises(FileNotFoundError):
        connection.push_weights(built_in, tmp_path / "absent", update=9, partial=True)


def test_arrays_of_jax_are_pushed(connection, built_in):
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    bias = jax.numpy.asarray(sure_of(6)["head.bias"], jax.numpy.bfloat16)
    connection.push_weights(built_in, {"head.bias": bias}, update=1, partial=True)
    assert guessed(connection, built_in, 0) == ({6}, 1)


def test_a_push_says_what_it_replaces_and_may_go_back(connection, built_in):
    weights = sure_of(1)
    connection.push_weights(built_in, weights, update=5, partial=True)
    with pytest.raises(mixfeed.FailedPrecondition, match="newest weights of model .* are of update 5") as raised:
        connection.push_weights(built_in, weights, update=2, partial=True)
    assert "rewind=True" in raised.value.hint
    assert connection.push_weights(built_in, weights, update=2, partial=True, rewind=True)["version"] == "2"
    with pytest.raises(mixfeed.Aborted, match="replaces is 1, but the newest version"):
        connection.push_weights(built_in, weights, update=6, partial=True, replaces=1)
    model = connection.push_weights(built_in, weights, update=6, partial=True, replaces=2, every=3)
    assert (model["version"], model["push_every"]) == ("3", 3)


@pytest.mark.parametrize("arguments, error, message", [
    (dict(name="nobody"), mixfeed.NotFound, "nobody"),
    (dict(weights={"head.bias": np.zeros(10, np.int32)}), mixfeed.InvalidArgument,
     "head.bias: int32 cannot be pushed, only float64, float32, float16, bfloat16, int64"),
    (dict(weights={"head.bias": np.zeros(9)}), mixfeed.InvalidArgument,
     r"head\.bias has shape \[9\]; the network's has \[10\]"),
    (dict(weights={"head.bias": np.full(10, np.nan)}), mixfeed.InvalidArgument, "'head.bias': value 0 is nan; allowed: finite numbers"),
    (dict(weights={"head.bias": np.zeros(10, np.int64)}), mixfeed.InvalidArgument,
     "head.bias holds Long; the network's holds Float"),
    (dict(weights={"tail.bias": np.zeros(10)}), mixfeed.InvalidArgument, "unknown tensor 'tail.bias'"),
    (dict(weights=sure_of(1), partial=False), mixfeed.InvalidArgument, "no tensor '"),
    (dict(weights={}, update=-1), mixfeed.InvalidArgument, "update: -1"),
    (dict(update=0.5), TypeError, "update: 0.5"),
    (dict(every=-1), mixfeed.InvalidArgument, "every: -1"),
    (dict(replaces="newest"), TypeError, "replaces: 'newest'"),
])
def test_what_cannot_be_pushed_is_said(connection, built_in, arguments, error, message):
    with pytest.raises(error, match=message):
        connection.push_weights(**{"name": built_in, "weights": sure_of(1), "update": 1, "partial": True, **arguments})
    assert guessed(connection, built_in, 0)[1] == 0
