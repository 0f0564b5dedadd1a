"""mixfeed.fork: runs that share a beginning."""
import mixfeed
import pytest


@pytest.fixture(scope="module")
def server(module_server):
    """Without the feeds and models of other tests."""
    return module_server


def digests(feed, steps):
    return [feed[step].digest() for step in steps]


@pytest.fixture
def trunk(connection, request):
    """A feed of its own, whose first four steps were guessed."""
    name = request.node.name
    connection.register_model(name, "resnet-small")
    feed = connection.open("mixmatch", labels=50, batch=8, model=name, policy="newest", run=name, steps=6)
    digests(feed, range(4))
    return feed


def test_a_fork_shares_the_steps_below_and_guesses_the_others_anew(connection, trunk):
    before = digests(trunk, range(4))
    connection.register_model("other", "resnet-small", init_seed=7)
    branch = mixfeed.fork(trunk, 2, "branch", model="other")
    assert (branch.run, branch.info.run, branch.steps) == ("branch", "branch", 6)
    assert branch.info.feed_id != trunk.info.feed_id and branch.info.spec["recipe"]["guess"]["model"] == "other"
    assert digests(branch, range(2)) == before[:2]
    assert all(ours != theirs for ours, theirs in zip(digests(branch, range(2, 4)), before[2:]))
    assert branch[1].guess_model == trunk[1].guess_model and branch[2].guess_model == "other"
    assert digests(trunk, range(4)) == before  # it goes on as it was
    assert [batch.step for batch in branch] == [2, 3, 4, 5] and len(branch) == 4


def test_a_fork_keeps_what_the_consumer_asked_for(trunk):
    narrow = mixfeed.fork(trunk.with_options(dtype="uint8", layout="nhwc"), 1)
    assert len(narrow.run) == 16 and narrow.run != trunk.run
    assert narrow[0].images.dtype == "uint8" and narrow[0].images.shape == (24, 32, 32, 3)


def test_what_was_pushed_since_guesses_the_fork_alone(connection):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    import mixfeed.torch
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, 4), torch.nn.BatchNorm2d(4), torch.nn.Flatten(),
                              torch.nn.Linear(256, 10))
    mixfeed.torch.register(net, "pushed", connection)
    trunk = connection.open("mixmatch", labels=50, batch=8, model="pushed", policy="newest", run="pushed")
    before = digests(trunk, range(4))
    same = mixfeed.fork(trunk, 2)
    assert digests(same, range(3)) == before[:3]  # by the weights of then, as long as there are no others
    with mixfeed.torch.push_weights(net, trunk, update=10) as pusher:
        with torch.no_grad():
            net[3].bias.copy_(torch.arange(10) * 5.0)
        pusher.step()
    branch = mixfeed.fork(trunk, 2)
    assert digests(branch, range(2)) == digests(trunk, range(2)) == before[:2]
    assert branch[2].guess_update == 11 and branch[2].digest() != before[2] == trunk[2].digest()


def test_a_server_that_was_restarted_forks_too(own_server):
    feed = mixfeed.connect(own_server.address).open("mixmatch", labels=50, batch=8, model="small", policy="newest")
    before = digests(feed, range(2))
    own_server.restart()
    assert digests(mixfeed.fork(feed, 2), range(2)) == before


def test_what_cannot_be_forked(connection, trunk):
    taken = mixfeed.fork(trunk, 1, "taken")
    digests(taken, range(3))
    with pytest.raises(mixfeed.AlreadyExists, match="has guesses of its own") as raised:
        mixfeed.fork(trunk, 2, "taken")
    assert "name" in raised.value.hint
    for arguments, error, message in (((-1,), mixfeed.InvalidArgument, "step: -1 given"),
                                      ((1.5,), TypeError, "step: 1.5 is no whole number"),
                                      ((1, "a b"), mixfeed.InvalidArgument, "a b")):
        with pytest.raises(error, match=message):
            mixfeed.fork(trunk, *arguments)
    with pytest.raises(mixfeed.InvalidArgument, match="model"):
        mixfeed.fork(connection.open("mixup", batch=8), 1, model="small")
