"""A loop that waits for a batch says what it may be waiting for."""
import logging
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from mixfeed import _feed


class ClosesFeed(logging.Handler):
    """Ends the feed's loops when a wait is told of."""

    def __init__(self, feed):
        super().__init__()
        self.feed, self.messages = feed, []

    def emit(self, record):
        self.messages.append((record.levelname, record.getMessage()))
        self.feed.close()


@pytest.fixture
def closed_when_told(monkeypatch):
    """closed_when_told(feed): from now on a moment's wait is told of, and ends the feed's loops; the messages."""
    logger = logging.getLogger("mixfeed")

    def listen(feed):
        monkeypatch.setattr(_feed, "_PATIENCE", 0.05)
        handler = ClosesFeed(feed)
        monkeypatch.setattr(logger, "handlers", [handler])
        return handler.messages

    return listen


def iterated(feed, by):
    if by == "feed":
        return iter(feed)
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from mixfeed.torch import FeedDataset, _device
    return iter(FeedDataset(feed)) if by == "dataset" else _device._copied_ahead(feed.steps_from(0), Copier())


class Copier:
    """As _device.DeviceCopier, without a device."""

    def start(self, batch):
        return batch

    def finish(self, batch):
        return batch


@pytest.mark.parametrize("by", ["feed", "dataset", "copying thread"])
def test_a_wait_for_weights_that_nobody_pushes_is_told_once(connection, closed_when_told, by):
    feed = connection.open("mixmatch", labels=50, batch=8, model="small", run=f"waits-{by.split()[0]}")  # lockstep
    batches = iterated(feed, by)
    assert next(batches).step == 0
    messages = closed_when_told(feed)
    assert list(batches) == []
    ((level, message),) = messages
    assert level == "WARNING" and message.startswith(f"step 1 of run {feed.run} has been awaited for 0.05 s: ")
    assert "push_weights" in message and "--weights-wait-ms" in message


def test_a_server_that_is_away_is_told_of(own_server, closed_when_told):
    import mixfeed
    feed = mixfeed.connect(own_server.address).open("mixup", batch=8, prefetch=1)
    batches = iter(feed)
    assert next(batches).step == 0
    own_server.kill()
    messages = closed_when_told(feed)
    assert len(list(batches)) < 8  # what had arrived
    assert [message.rpartition(": ")[2] for _, message in messages] == ["is the server busy, or away?"]


def test_a_feed_that_comes_in_time_is_not_told_of(connection, caplog, monkeypatch):
    monkeypatch.setattr(_feed, "_PATIENCE", 3600)
    assert len(list(connection.open("mixup", batch=8, steps=50))) == 50
    assert not [record for record in caplog.records if record.name == "mixfeed"]


def test_a_worker_that_fetches_ahead_says_nothing(connection, closed_when_told, monkeypatch):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from mixfeed.torch import FeedDataset
    monkeypatch.setattr("mixfeed.torch._dataset.get_worker_info", lambda: SimpleNamespace(id=0, num_workers=1))
    ahead, loop = (connection.open("mixmatch", labels=50, batch=8, model="small", run=run)  # lockstep
                   for run in ("fetched-ahead", "looped"))
    fetched, looped = iter(FeedDataset(ahead)), iter(loop)
    assert next(fetched).step == next(looped).step == 0
    messages = closed_when_told(loop)
    with ThreadPoolExecutor(1) as worker:
        rest = worker.submit(list, fetched)
        assert list(looped) == []  # by when the worker has waited for as long
        ahead.close()
        assert rest.result() == []
    ((_, message),) = messages
    assert message.startswith("step 1 of run looped ")
