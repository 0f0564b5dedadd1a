"""mixfeed.torch.ManifoldMixup against mixing that is written out by hand."""
import types

import mixfeed
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
import mixfeed.torch  # noqa: E402

ROWS = 8


class Block(torch.nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = torch.nn.Linear(inputs, outputs)
        self.activation = torch.nn.Tanh()

    def forward(self, x):
        return self.activation(self.linear(x))


class Nested(torch.nn.Module):
    """Defined in another order than computed; `body` holds blocks of its own."""

    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(6, 10)
        self.stem = Block(3 * 32 * 32, 12)
        self.body = torch.nn.Sequential(Block(12, 9), Block(9, 6))

    def forward(self, x):
        return self.head(self.body(self.stem(x.flatten(1))))


def mixed_by_hand(h, batch):
    lam = torch.as_tensor(batch.lam).view(-1, *[1] * (h.ndim - 1))
    return lam * h + (1 - lam) * h[torch.as_tensor(batch.partner).long()]


@pytest.fixture(scope="module")
def manifold_feed(server):
    with mixfeed.connect(server.address) as connection:
        yield connection.open("manifold", batch=ROWS, seed=2, run="manifold", set={"recipe.mix.layers": [0, 1, 2, 3]})


@pytest.fixture(scope="module")
def batch_of(manifold_feed):
    """A batch of the feed for each layer."""
    found = {}
    for batch in manifold_feed:
        found.setdefault(batch.layer, mixfeed.torch.to_tensors(batch))
        if len(found) == 4:
            return found


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Nested()


def by_hand(net, batch):
    """The pass of Nested with layers stem, body.0 and body.1."""
    h = batch.images.flatten(1)
    for k, part in enumerate([net.stem, net.body[0], net.body[1]], 1):
        h = part(h)
        if batch.layer == k:
            h = mixed_by_hand(h, batch)
    return net.head(h)


@pytest.mark.parametrize("layer", range(4))
def test_each_layer_is_mixed_where_it_is_computed(manifold_feed, batch_of, net, layer):
    batch = batch_of[layer]
    manifold = mixfeed.torch.ManifoldMixup(net, manifold_feed, layers=["stem", net.body[0], "body.1"])
    logits = manifold(batch)
    assert torch.equal(logits, by_hand(net, batch))
    loss = mixfeed.torch.mixup_loss(logits, batch)
    loss.backward()
    gradients = [parameter.grad.clone() for parameter in net.parameters()]
    net.zero_grad()
    mixfeed.torch.mixup_loss(by_hand(net, batch), batch).backward()
    for ours, theirs in zip(gradients, (parameter.grad for parameter in net.parameters())):
        assert torch.allclose(ours, theirs, atol=1e-7)
    if layer > 0:
        assert not torch.equal(logits, net(batch.images))  # nothing is left in it


def test_layer_0_comes_mixed(manifold_feed, batch_of):
    batch = batch_of[0]
    views = manifold_feed.views(batch.step).labelled_images()
    assert np.allclose(batch.images, mixed_by_hand(torch.from_numpy(views), batch), atol=1e-6)
    hidden = batch_of[1]
    assert np.allclose(hidden.images, manifold_feed.views(hidden.step).labelled_images(), atol=1e-6)
    assert not torch.equal(hidden.lam, torch.ones(ROWS))


def test_batches_of_arrays_are_taken_too(manifold_feed, batch_of, net):
    step = batch_of[2].step
    manifold = mixfeed.torch.ManifoldMixup(net, manifold_feed, ["stem", "body.0", "body.1"])
    assert torch.equal(manifold(manifold_feed[step]), manifold(batch_of[2]))


def test_bfloat16_batches_are_taken_too(manifold_feed, batch_of, net):
    narrow = manifold_feed.with_options(dtype="bfloat16")[batch_of[2].step]
    manifold = mixfeed.torch.ManifoldMixup(net.bfloat16(), manifold_feed, ["stem", "body.0", "body.1"])
    logits = manifold(narrow)
    assert logits.dtype == torch.bfloat16 and torch.equal(logits, manifold(mixfeed.torch.to_tensors(narrow)))
    assert torch.allclose(logits.float(), by_hand(net.float(), batch_of[2]), atol=0.05)


def test_feature_maps_are_mixed_by_whole_rows(manifold_feed, batch_of):
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(3600, 10))
    batch = batch_of[2]
    manifold = mixfeed.torch.ManifoldMixup(net, manifold_feed)  # all children, since none has any
    assert manifold.layers == tuple(net)
    assert torch.equal(manifold(batch), net[2:](mixed_by_hand(net[:2](batch.images), batch)))


def test_default_layers_are_children_with_parts(manifold_feed, net):
    with pytest.raises(mixfeed.InvalidArgument, match=r"2 given, stem, body; .* \[0, 1, 2, 3\]"):
        mixfeed.torch.ManifoldMixup(net, manifold_feed)
    two = manifold_feed.connection.open("manifold", batch=ROWS)
    assert mixfeed.torch.ManifoldMixup(net, two).layers == (net.stem, net.body)
    plain = manifold_feed.connection.open("mixup", batch=ROWS)  # mixes the input alone
    assert mixfeed.torch.ManifoldMixup(net, plain, layers=[]).layers == ()


class Listed(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = torch.nn.ModuleList([Block(3072, 8), Block(8, 6), Block(6, 10)])

    def forward(self, x):
        x = x.flatten(1)
        for block in self.blocks:
            x = block(x)
        return x


def test_lists_stand_for_their_elements(manifold_feed, batch_of):
    net, batch = Listed(), batch_of[2]
    manifold = mixfeed.torch.ManifoldMixup(net, manifold_feed)
    assert manifold.layers == tuple(net.blocks)
    h = mixed_by_hand(net.blocks[1](net.blocks[0](batch.images.flatten(1))), batch)
    assert torch.equal(manifold(batch), net.blocks[2](h))


def hooks(module):
    return [part for part in module.modules() if part._forward_hooks or part._forward_pre_hooks]


def test_hooks_are_gone_after_an_exception(manifold_feed, batch_of, net):
    manifold = mixfeed.torch.ManifoldMixup(net, manifold_feed, ["stem", "body.0", "body.1"])
    with pytest.raises(ZeroDivisionError):
        with manifold.mixing(batch_of[1]):
            assert hooks(net) == [net.stem]
            1 / 0
    assert hooks(net) == []
    fails = net.body[1].register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        manifold(batch_of[1])
    fails.remove()
    assert hooks(net) == [] and torch.equal(manifold(batch_of[1]), by_hand(net, batch_of[1]))


def test_a_pass_of_one_s_own_is_mixed_too(manifold_feed, batch_of, net):
    batch = batch_of[3]
    manifold = mixfeed.torch.ManifoldMixup(net, manifold_feed, ["stem", "body.0", "body.1"])
    with manifold.mixing(batch):
        logits = net.head(net.body(net.stem(batch.images.flatten(1))))
    assert torch.equal(logits, by_hand(net, batch))


def test_a_layer_that_is_not_computed_once_is_an_error(manifold_feed, batch_of, net):
    manifold = mixfeed.torch.ManifoldMixup(net, manifold_feed, ["stem", "body.0", "body.1"])
    with pytest.raises(mixfeed.FailedPrecondition, match=r"layer 2 \(body.0\) was computed 0 times") as raised:
        with manifold.mixing(batch_of[2]):
            pass
    assert "Compiled" in raised.value.hint
    with pytest.raises(mixfeed.FailedPrecondition, match="was computed 2 times"):
        with manifold.mixing(batch_of[1]):
            net(batch_of[1].images), net(batch_of[1].images)
    assert hooks(net) == []


def share_of(batch, rows):
    """The rows of a batch as another consumer might get them."""
    index = torch.tensor(rows)
    return types.SimpleNamespace(images=batch.images[index], layer=batch.layer, step=batch.step, lam=batch.lam[index],
                                 partner=batch.partner[index], row=batch.row[index])


def test_partners_are_found_in_any_order(manifold_feed, batch_of, net):
    order = [3, 1, 0, 7, 2, 6, 5, 4]
    manifold = mixfeed.torch.ManifoldMixup(net, manifold_feed, ["stem", "body.0", "body.1"])
    batch = batch_of[1]
    assert torch.allclose(manifold(share_of(batch, order)), by_hand(net, batch)[order], atol=1e-6)
    row = next(row for row in range(ROWS) if batch.partner[row] != row)
    with pytest.raises(mixfeed.InvalidArgument, match=f"partner: row {int(batch.partner[row])} of the step is not in"):
        manifold(share_of(batch, [row]))


class OnDevice(torch.Tensor):
    """Says that it is on a GPU, and refuses what would wait for one."""

    WAITS = {torch.Tensor.__bool__, torch.Tensor.__int__, torch.Tensor.__float__, torch.Tensor.__contains__,
             torch.Tensor.item, torch.Tensor.tolist, torch.Tensor.nonzero, torch.nonzero, torch.Tensor.numpy}

    @classmethod
    def __torch_function__(cls, function, types, arguments=(), named=None):
        if function == torch.Tensor.device.__get__:
            return torch.device("cuda", 0)
        by_mask = function == torch.Tensor.__getitem__ and getattr(arguments[1], "dtype", None) == torch.bool
        assert not by_mask and function not in cls.WAITS, f"{function} waits for the device"
        return super().__torch_function__(function, types, arguments, named or {})


def test_a_batch_on_a_gpu_is_not_waited_for(manifold_feed, batch_of, net):
    manifold = mixfeed.torch.ManifoldMixup(net, manifold_feed, ["stem", "body.0", "body.1"])
    batch, order = batch_of[1], [3, 1, 0, 7, 2, 6, 5, 4]

    def on_device(rows):
        share = share_of(batch, rows)
        for name in ("lam", "partner", "row"):
            setattr(share, name, getattr(share, name).as_subclass(OnDevice))
        return share

    def logits(rows):
        return manifold(on_device(rows)).as_subclass(torch.Tensor)

    assert torch.allclose(logits(order), by_hand(net, batch)[order], atol=1e-6)
    few = order[:5]
    found = logits(few).isnan()
    assert found.all(1).tolist() == found.any(1).tolist() == [int(batch.partner[row]) not in few for row in few]
    assert found.any() and not found.all()


def test_shares_of_a_step_are_mixed_within_themselves(manifold_feed, batch_of, net):
    manifold = mixfeed.torch.ManifoldMixup(net, manifold_feed, ["stem", "body.0", "body.1"])
    step = batch_of[1].step
    parts = []
    for rank in range(2):
        share = manifold_feed.with_options(sharing="split", rank=rank, world=2)[step]
        h = torch.from_numpy(share.images).flatten(1)
        h = net.stem(h)
        partner = [list(share.row).index(p) for p in share.partner]
        lam = torch.from_numpy(share.lam)[:, None]
        expected = net.head(net.body(lam * h + (1 - lam) * h[partner]))
        assert share.layer == 1 and torch.equal(manifold(share), expected)
        parts.extend(share.row)
    assert sorted(parts) == list(range(ROWS))


def test_what_does_not_fit_is_named(manifold_feed, batch_of, net):
    feed = manifold_feed
    with pytest.raises(mixfeed.InvalidArgument, match="'body.7' is no submodule, must be one of .*body.0"):
        mixfeed.torch.ManifoldMixup(net, feed, ["stem", "body.7", "head"])
    with pytest.raises(mixfeed.InvalidArgument, match="Linear given is no submodule"):
        mixfeed.torch.ManifoldMixup(net, feed, [torch.nn.Linear(1, 1)])
    with pytest.raises(mixfeed.InvalidArgument, match="1 given, stem; the feed's recipe.mix.layers are"):
        mixfeed.torch.ManifoldMixup(net, feed, ["stem"])
    with pytest.raises(mixfeed.InvalidArgument, match="DataParallel"):
        mixfeed.torch.ManifoldMixup(torch.nn.DataParallel(net), feed, ["stem", "body.0", "body.1"])
    manifold = mixfeed.torch.ManifoldMixup(net, feed, ["stem", "body.0", "body.1"])
    for layer in (4, -1):
        strange = types.SimpleNamespace(**{**batch_of[1]._asdict(), "layer": layer})
        with pytest.raises(mixfeed.InvalidArgument,
                           match=rf"layer: {layer} in step {batch_of[1].step}, must be 0\.\.3"):
            manifold(strange)
    shorter = types.SimpleNamespace(**{**batch_of[1]._asdict(), "images": batch_of[1].images[:5]})
    with pytest.raises(mixfeed.InvalidArgument, match=r"Block gives shape \(5, 12\), must have the batch's 8 rows"):
        manifold(shorter)
    several = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LSTM(3072, 4))
    with pytest.raises(mixfeed.InvalidArgument, match="LSTM gives a tuple, must be one tensor"):
        mixfeed.torch.ManifoldMixup(several, feed, ["1", "0", "0"])(batch_of[1])
    assert hooks(net) == []


def test_scripted_modules_are_refused(manifold_feed, net):
    with pytest.raises(mixfeed.InvalidArgument, match="a ScriptModule given, which takes no hooks"):
        mixfeed.torch.ManifoldMixup(torch.jit.script(net), manifold_feed, ["stem", "body.0", "body.1"])
