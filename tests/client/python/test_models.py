"""Connection.register_model: models without PyTorch."""
import io

import mixfeed
import pytest


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
