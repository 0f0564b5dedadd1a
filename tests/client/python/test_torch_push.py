"""mixfeed.torch.push_weights: what is guessed with it, and what a push that fails does to a loop."""
import pickle
import sys
import threading

import mixfeed
import pytest

from conftest import run_cli, wait_until

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
import mixfeed.torch  # noqa: E402


@pytest.fixture(scope="module")
def server(module_server):
    """Without the feeds of other tests, whose policies decide which pushes are taken."""
    return module_server


class Tiny(torch.nn.Module):
    """Always sure of one class: which, its bias says."""

    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm2d(3)
        self.head = torch.nn.Linear(3, 10)

    def forward(self, x):
        return self.head(self.norm(x).mean([2, 3]))


def sure_of(module, label):
    with torch.no_grad():
        module.head.weight.zero_()
        module.head.bias.copy_(torch.nn.functional.one_hot(torch.tensor(label), 10) * 20.0)


@pytest.fixture
def tiny(server, tmp_path, request):
    module = Tiny()
    sure_of(module, 0)
    name = request.node.name.replace("[", "-").replace("]", "")[:100]
    torch.jit.script(module).save(str(tmp_path / "tiny.pt"))
    run_cli("model", "register", name, "--kind", "torchscript", "--file", tmp_path / "tiny.pt", "--server", server.address)
    return name, module


def elsewhere(feed):
    """The feed, with a connection of its own."""
    return pickle.loads(pickle.dumps(feed))


def guessed(batch):
    """The classes of the unlabelled rows' targets, which nothing was mixed into."""
    return set(batch.targets[batch.n_labelled:].argmax(1).tolist())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_pushed_weights_guess_the_next_step(connection, tiny, dtype):
    name, module = tiny
    module = module.to(dtype)
    feed = connection.open("mixmatch", labels=50, batch=8, model=name, steps=6, set={"recipe.mix.enabled": False})
    versions = []
    with mixfeed.torch.push_weights(module, feed) as pusher:
        assert pusher.version == 0
        for batch in feed:  # lockstep: step t waits for the weights of update t
            assert guessed(batch) == {batch.step} and batch.guess_update == batch.step and batch.guess_age == 0
            versions.append(batch.guess_version)
            sure_of(module, batch.step + 1)
            pusher.step()
        pusher.wait()
        assert pusher.version == pusher.update == 6
    assert versions == list(range(6))


def test_every_nth_update_is_pushed(connection, tiny):
    name, module = tiny
    feed = connection.open("mixmatch", labels=50, batch=8, model=name, policy="newest", set={"recipe.mix.enabled": False})
    with mixfeed.torch.push_weights(module, feed, every=3) as pusher:
        sure_of(module, 7)
        for _ in range(7):
            pusher.step()
        pusher.wait()
        assert pusher.version == 2
        assert feed[0].guess_update == 6 and guessed(feed[0]) == {7}


def test_pushes_that_fail_say_so(connection, tiny):
    name, module = tiny
    feed = connection.open("mixmatch", labels=50, batch=8, model=name, policy="newest")
    with mixfeed.torch.push_weights(torch.nn.Linear(3, 10), feed) as wrong:
        wrong.step()
        with pytest.raises(ValueError, match="weight"):
            wrong.wait()
    first, second = (mixfeed.torch.push_weights(module, its_feed) for its_feed in (feed, elsewhere(feed)))
    first.step()
    first.close()
    second.step()
    with pytest.raises(mixfeed.Aborted):
        second.close()
    with pytest.raises(mixfeed.FailedPrecondition, match="'nobody'"):
        mixfeed.torch.push_weights(module, feed, model="nobody")
    strange = torch.nn.Linear(3, 10)
    strange.register_buffer("odd", torch.zeros(1, dtype=torch.int16))
    with pytest.raises(ValueError, match="odd: torch.int16 cannot be pushed"):
        with mixfeed.torch.push_weights(strange, feed) as pusher:
            pusher.step()
    with pytest.raises(ValueError, match="every: 0"):
        mixfeed.torch.push_weights(module, feed, every=0)
    again = mixfeed.torch.push_weights(module, feed, update=0, rewind=True)
    again.push()
    again.close()
    assert again.version == first.version + 1


def test_who_went_back_may_still_push_after_a_first_push_that_failed(connection, tiny, monkeypatch):
    name, module = tiny
    feed = connection.open("mixmatch", labels=50, batch=8, model=name, policy="newest")
    with mixfeed.torch.push_weights(module, feed, update=4) as ahead:
        ahead.step()
    pusher = mixfeed.torch.push_weights(module, feed, update=1, rewind=True)
    push, failures = pusher._versions.push, [mixfeed.Unavailable("away")]

    def push_unless_away(*arguments):
        if failures:
            raise failures.pop()
        push(*arguments)

    monkeypatch.setattr(pusher._versions, "push", push_unless_away)
    pusher.step()
    with pytest.raises(mixfeed.Unavailable):
        pusher.wait()
    pusher.step()
    pusher.close()
    assert (pusher.update, pusher.version) == (3, 2)


@pytest.mark.parametrize("over", [iter, mixfeed.torch.FeedDataset])
@pytest.mark.parametrize("error", [mixfeed.InvalidArgument, mixfeed.Aborted])
def test_a_loop_that_waits_for_weights_raises_what_their_push_failed_with(connection, tiny, over, error):
    name, module = tiny
    feed = connection.open("mixmatch", labels=50, batch=8, model=name, steps=4)  # lockstep
    batches, seen = over(feed), []
    failing = mixfeed.torch.push_weights(module if error is mixfeed.Aborted else torch.nn.Linear(3, 10), feed)
    if error is mixfeed.Aborted:
        with mixfeed.torch.push_weights(module, elsewhere(feed), rewind=True) as another:
            another.push()
    with pytest.raises(error):
        for batch in batches:
            seen.append(batch.step)
            failing.step()
    failing.close()  # it is said once
    with mixfeed.torch.push_weights(module, feed) as pusher:
        pusher.step()
        for batch in batches:
            seen.append(batch.step)
            pusher.step()
    assert seen == [0, 1, 2, 3]


def test_a_push_that_fails_ends_waits_of_its_training_alone(connection, tiny):
    name, module = tiny
    feed = connection.open("mixmatch", labels=50, batch=8, model=name, run="failing")
    another = connection.open("mixmatch", labels=50, batch=8, model=name, seed=1)

    def fail():
        pusher = mixfeed.torch.push_weights(torch.nn.Linear(3, 10), feed)
        pusher.step()
        return pusher

    def wait(iterator, raised):
        try:
            next(iterator, None)
        except mixfeed.InvalidArgument as error:
            raised.append(error)

    for member in (feed, feed.with_options(dtype="uint8"), feed.of_run("resumed")):
        waiting, other, raised = iter(member), iter(another), []
        assert (next(waiting).step, next(other).step) == (0, 0)
        threads = [threading.Thread(target=wait, args=[iterator, raised]) for iterator in (waiting, other)]
        for thread in threads:
            thread.start()
        wait_until(lambda: {sys._current_frames()[thread.ident].f_code.co_name for thread in threads} == {"_fetch"})
        failed = fail()
        threads[0].join(60)
        assert len(raised) == 1 and threads[1].is_alive()
        other.close()
        threads[1].join(60)
        failed.close()  # it is said once
        assert len(raised) == 1 and next(iter(member)).step == 0
    failed = fail()
    wait_until(lambda: connection._push_errors._untold)
    assert elsewhere(feed)[0].step == 0
    with pytest.raises(mixfeed.InvalidArgument):
        next(iter(feed.eval("test")))  # of the same run
    failed.close()


def test_a_pusher_that_was_closed_says_so(connection, tiny):
    name, module = tiny
    feed = connection.open("mixmatch", labels=50, batch=8, model=name, policy="newest")
    pusher = mixfeed.torch.push_weights(module, feed, every=2)
    pusher.close()
    pusher.close()
    for use in (pusher.step, pusher.push):
        with pytest.raises(mixfeed.FailedPrecondition, match="the pusher was closed"):
            use()
    assert pusher.update == pusher.version == 0


def test_a_pusher_that_was_abandoned_leaves_the_next_training_alone(connection, tiny):
    name, module = tiny

    def fail(**arguments):
        pusher = mixfeed.torch.push_weights(torch.nn.Linear(3, 10), opened(), **arguments)
        pusher.step()
        wait_until(lambda: connection._push_errors._untold)
        return pusher

    def opened():
        return connection.open("mixmatch", labels=50, batch=8, model=name, policy="newest")

    abandoned, feed = fail(), opened()
    with mixfeed.torch.push_weights(module, feed) as pusher:
        assert next(iter(feed)).step == 0
        pusher.step()
    assert pusher.version == 1
    for use in (abandoned.step, abandoned.push):
        with pytest.raises(mixfeed.FailedPrecondition, match="another one took its place"):
            use()
    abandoned.close()
    fail(model="small")
    with pytest.raises(mixfeed.InvalidArgument):  # of a training with several models all are told
        mixfeed.torch.push_weights(module, opened()).wait()


def test_what_a_push_that_was_given_up_fails_with_is_not_raised(connection, tiny):
    name, _ = tiny
    feed = connection.open("mixmatch", labels=50, batch=8, model=name, policy="newest")
    with pytest.raises(ZeroDivisionError):
        with mixfeed.torch.push_weights(torch.nn.Linear(3, 10), feed) as pusher:
            pusher.step()
            1 / 0
    pusher.close()
    assert next(iter(feed)).step == 0


def test_rank_0_alone_pushes(connection, tiny, monkeypatch):
    name, module = tiny
    feed = connection.open("mixmatch", labels=50, batch=8, model=name, policy="newest")
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    try:
        for rank, version in ((1, 0), (0, 2)):
            monkeypatch.setattr(torch.distributed, "get_rank", lambda: rank)
            with mixfeed.torch.push_weights(module, feed) as pusher:
                pusher.step()
                pusher.step()
            assert (pusher.update, pusher.version) == (2, version)
    finally:
        torch.distributed.destroy_process_group()
