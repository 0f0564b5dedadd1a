"""mixfeed.torch.register: modules become the server's guess models, or it is said what to change."""
import re

import mixfeed
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
import mixfeed.torch  # noqa: E402


@pytest.fixture(scope="module")
def server(module_server):
    """Without the feeds and models of other tests."""
    return module_server


class Net(torch.nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, 4)
        self.norm = torch.nn.BatchNorm2d(8)
        self.head = torch.nn.Linear(8, classes)

    def forward(self, x):
        return self.head(torch.relu(self.norm(self.conv(x))).mean([2, 3]))


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


def known(connection, name):
    return {model["name"]: model for model in connection.info()["models"]}[name]


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_a_registered_module_guesses(connection, net, mode):
    net.train(mode == "train")
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    model = mixfeed.torch.register(net, f"plain-{mode}", connection, update=7, ema_decay=0.9)
    assert (model["name"], model["classes"], model["update"], model["ema_decay"]) == (f"plain-{mode}", 10, "7", 0.9)
    assert model["image"] == {"channels": 3, "height": 32, "width": 32} and model["batch_statistics"] is True
    assert known(connection, f"plain-{mode}")["digest"] == model["digest"]
    assert net.training == (mode == "train")
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    feed = connection.open("mixmatch", labels=50, batch=8, model=f"plain-{mode}", policy="newest", run=f"by-{mode}",
                           set={"recipe.mix.enabled": False})
    batch = feed[0]
    views = torch.from_numpy(feed.views(0).unlabelled_images())
    with torch.no_grad():
        p = torch.stack([net.train()(view).softmax(1) for view in views]).mean(0) ** 2
    assert np.allclose(batch.targets[8:16], p / p.sum(1, keepdim=True), atol=1e-5)
    assert batch.guess_model == f"plain-{mode}"


class Wrapped(torch.nn.Module):
    """As torch.compile wraps a module."""

    def __init__(self, module):
        super().__init__()
        self._orig_mod = module

    def forward(self, x):
        return self._orig_mod(x)


def distributed(module):
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    return torch.nn.parallel.DistributedDataParallel(module)


@pytest.mark.parametrize("wrap, prefix", [(Wrapped, "_orig_mod."), (torch.nn.DataParallel, "module."),
                                          (lambda net: torch.nn.DataParallel(Wrapped(net)), "module._orig_mod."),
                                          (distributed, "module."), (torch.jit.script, "")])
def test_wrapped_modules_are_registered_and_pushed(connection, net, wrap, prefix):
    name = "wrapped-" + (prefix.replace(".", "-") or "script") + getattr(wrap, "__name__", "")
    name = "".join(c for c in name if c.isalnum() or c in "-_")
    try:
        wrapped = wrap(net)
        assert all(key.startswith(prefix) for key in wrapped.state_dict())
        assert mixfeed.torch.register(wrapped, name, connection)["version"] == "0"
        feed = connection.open("mixmatch", labels=50, batch=8, model=name, run=name, set={"recipe.mix.enabled": False})
        with mixfeed.torch.push_weights(wrapped, feed) as pusher:
            with torch.no_grad():
                net.head.weight.zero_()
                net.head.bias.copy_(torch.arange(10) * 5.0)
            pusher.step()
        assert pusher.version == 1
        assert set(feed[1].targets[8:].argmax(1)) == {9} and feed[1].guess_update == 1
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def test_the_moving_average_is_the_server_s(connection, net):
    with torch.no_grad():
        net.head.weight.zero_()
        net.head.bias.zero_()
    mixfeed.torch.register(net, "average", connection, ema_decay=0.75)
    feed = connection.open("mixmatch", labels=50, batch=8, model="average", run="average", weights="ema",
                           temperature=1.0, policy="newest", set={"recipe.mix.enabled": False})
    with mixfeed.torch.push_weights(net, feed) as pusher:
        with torch.no_grad():
            net.head.bias.copy_(torch.arange(10) * 1.0)
        pusher.step()
    expected = torch.softmax(0.25 * torch.arange(10.0), 0)
    assert np.allclose(feed[0].targets[8:], expected, atol=1e-5)


def test_running_statistics_need_no_batch_norm(connection):
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 10))
    with pytest.raises(mixfeed.InvalidArgument, match="no batch normalisation") as raised:
        mixfeed.torch.register(net, "linear", connection)
    assert "statistics='running'" in raised.value.hint
    model = mixfeed.torch.register(net, "linear", connection, statistics="running", normalise="cifar10")
    assert model["batch_statistics"] is False


def test_a_shape_of_one_s_own(connection):
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten(),
                              torch.nn.Linear(4 * 14 * 14, 5))
    model = mixfeed.torch.register(net, "grey", connection, classes=5, image=(1, 16, 16))
    assert model["classes"] == 5 and model["image"] == {"channels": 1, "height": 16, "width": 16}


def test_datasets_fill_only_what_is_missing(connection, net, monkeypatch):
    (known,) = connection.info()["datasets"]

    def serve(*changes):
        datasets = [known, *({**known, **change} for change in changes)]
        monkeypatch.setattr(connection, "info", lambda: {"datasets": datasets})

    broken = {"error": "unreadable", "class_names": ["one"]}
    larger = {**known["image"], "height": 64}
    serve({"class_names": list("abc")}, broken)  # of the same images
    with pytest.raises(mixfeed.InvalidArgument, match="^classes: not given, and the server's datasets have 10 and 3"):
        mixfeed.torch.register(net, "filled", connection)
    assert mixfeed.torch.register(net, "filled", connection, classes=10)["image"] == known["image"]
    serve({"image": larger}, broken)  # of the same classes
    with pytest.raises(mixfeed.InvalidArgument, match=r"^image: not given, .* have \(3, 32, 32\) and \(3, 64, 32\)"):
        mixfeed.torch.register(net, "filled", connection, classes=10)
    assert mixfeed.torch.register(net, "filled", connection, image=(3, 32, 32))["classes"] == 10


def test_an_archive_is_loaded_once(connection, net, monkeypatch):
    loads, load = [], torch.jit.load
    monkeypatch.setattr(torch.jit, "load", lambda *given, **named: loads.append(1) or load(*given, **named))
    mixfeed.torch.register(net, "once", connection)
    assert len(loads) == 1


class Unscriptable(Net):
    def forward(self, x, **options):
        return super().forward(x)


class Sometimes(Net):
    """Returns logits and features while it trains."""

    def forward(self, x):
        logits = self.head(self.norm(self.conv(x)).mean([2, 3]))
        if self.training:
            return logits[:2]
        return logits


class Tuple(Net):
    def forward(self, x):
        return self.head(self.norm(self.conv(x)).mean([2, 3])), x


class Argmax(Net):
    def forward(self, x):
        return self.head(self.norm(self.conv(x)).mean([2, 3])).round().long()


def with_buffer(dtype):
    net = Net()
    net.register_buffer("odd", torch.zeros(1, dtype=dtype))
    return net


def infinite():
    net = Net()
    with torch.no_grad():
        net.head.bias[3] = float("inf")
    return net


def frozen():
    return torch.jit.freeze(torch.jit.script(Net()).eval())


@pytest.mark.parametrize("make, message, hint", [
    (Unscriptable, "Unscriptable cannot be scripted: .*", "annotate arguments"),
    (Sometimes, r"output has shape \(2, 10\), must be floating point logits \(4, 10\) for 4 images", "classes="),
    (Tuple, "output is a tuple, must be floating point logits", "logits alone"),
    (Argmax, "output is of torch.int64, must be floating point", ""),
    (lambda: Net(7), r"output has shape \(4, 7\), must be floating point logits \(4, 10\)", "last layer"),
    (infinite, "not finite", "infinite"),
    (lambda: Net().half(), r"its forward fails in train mode for float32 images \(4, 3, 32, 32\)", r"module.float\(\)"),
    (lambda: with_buffer(torch.int16), "odd is of torch.int16, which cannot be pushed", ""),
    (lambda: with_buffer(torch.bool), "odd is of torch.bool, which cannot be pushed, only .*torch.int64$", ""),
    (frozen, "no batch normalisation, .* or it was frozen", "statistics='running'"),
    (lambda: torch.nn.Conv2d(1, 2, 3), "no batch normalisation", ""),
])
def test_what_does_not_fit_is_said_with_what_to_change(connection, make, message, hint):
    with pytest.raises(mixfeed.InvalidArgument, match=message) as raised:
        mixfeed.torch.register(make(), "refused", connection)
    assert re.search(hint, raised.value.hint), raised.value.hint
    assert "refused" not in {model["name"] for model in connection.info()["models"]}


def test_a_module_that_takes_other_images_is_refused(connection):
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4))
    with pytest.raises(mixfeed.InvalidArgument, match=r"train mode for float32 images \(4, 3, 32, 32\)") as raised:
        mixfeed.torch.register(net, "refused", connection)
    assert "image=" in raised.value.hint


def test_a_module_without_parameters_cannot_be_pushed(connection):
    parts = frozen()
    with pytest.raises(mixfeed.InvalidArgument, match="no parameters that could be pushed; was it frozen"):
        mixfeed.torch.register(parts, "refused", connection, statistics="running")


@pytest.mark.parametrize("arguments, error, message", [
    (dict(statistics="own"), mixfeed.InvalidArgument, "statistics: 'own' given"),
    (dict(ema_decay=1.0), mixfeed.InvalidArgument, "ema_decay: 1.0 given"),
    (dict(ema_decay=float("nan")), mixfeed.InvalidArgument, "ema_decay: nan"),
    (dict(classes=1), mixfeed.InvalidArgument, r"classes: 1 given, must be 2\.\.32767"),
    (dict(classes=10.0), TypeError, "classes: 10.0"),
    (dict(image=(3, 32)), mixfeed.InvalidArgument, r"image: \(3, 32\) given, must be \(channels, height, width\)"),
    (dict(image=(3, 0, 32)), mixfeed.InvalidArgument, "image: 0 given"),
    (dict(update=-1), mixfeed.InvalidArgument, "update: -1"),
    (dict(normalise="loud"), mixfeed.Error, "loud"),
    (dict(name="a b"), mixfeed.InvalidArgument, "a b"),
])
def test_arguments_are_checked(connection, net, arguments, error, message):
    with pytest.raises(error, match=message):
        mixfeed.torch.register(net, **{"name": "refused", "connection": connection, **arguments})


def test_the_server_s_complaint_comes_with_a_hint(connection, net):
    traced = torch.jit.trace(net.eval(), torch.rand(4, 3, 32, 32))  # whose batch norms stay as they are
    with pytest.raises(mixfeed.FailedPrecondition, match="cannot use batch statistics") as raised:
        mixfeed.torch.register(traced, "traced", connection)
    assert "statistics='running'" in raised.value.hint
    assert mixfeed.torch.register(traced, "traced", connection, statistics="running")["name"] == "traced"


def test_an_archive_that_the_server_cannot_read_points_to_the_table(connection, net, monkeypatch):
    from mixfeed.torch import _register
    monkeypatch.setattr(_register, "_archive", lambda module: b"of a later PyTorch")
    monkeypatch.setattr(torch.jit, "load", lambda *arguments, **keywords: None)
    monkeypatch.setattr(_register, "_try_copy", lambda *arguments: None)
    monkeypatch.setattr(_register, "_check_state", lambda *arguments: None)
    with pytest.raises(mixfeed.InvalidArgument, match="no TorchScript archive") as raised:
        mixfeed.torch.register(net, "unread", connection)
    assert torch.__version__ in raised.value.hint and "README" in raised.value.hint


def test_without_a_server_it_is_unavailable(net):
    with pytest.raises(mixfeed.Unavailable, match="127.0.0.1:9"):
        mixfeed.torch.register(net, "absent", mixfeed.connect("127.0.0.1:9", wait=0.2))


def test_a_feed_stands_for_its_connection(connection, net):
    feed = connection.open("mixmatch", labels=50, batch=8, model="by-feed", policy="newest")
    assert mixfeed.torch.register(net, "by-feed", feed)["name"] == "by-feed" and feed[0].guess_model == "by-feed"
    assert mixfeed.models(feed).data == mixfeed.models(connection).data
    for other in (connection.server, None):
        with pytest.raises(TypeError, match=f"{other!r} is neither a mixfeed.Feed nor a mixfeed.Connection"):
            mixfeed.torch.register(net, "refused", other)


def test_registering_again_replaces_the_model(connection, net):
    first = mixfeed.torch.register(net, "again", connection)
    second = mixfeed.torch.register(Net(), "again", connection)
    assert int(second["version"]) > int(first["version"]) and first["digest"] != second["digest"]
