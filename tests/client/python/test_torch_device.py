"""Batches on a device: on the CPU they are the dataset's own; the CUDA path runs on a fake that keeps to CUDA's rules.
"""
import contextlib
import sys
import threading

import mixfeed
import pytest

from conftest import wait_until

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
import mixfeed.torch  # noqa: E402
from mixfeed.torch import _device  # noqa: E402


class FakeEvent:
    """Done once its stream was run up to it."""

    def __init__(self, cuda):
        self.cuda, self.after = cuda, len(cuda.launched)

    def synchronize(self):
        self.cuda.run_to(self.after)


class FakeCuda:
    """A device whose copies happen only when somebody waits for them, from what page-locked memory holds then."""

    made = []

    def __init__(self, device):
        self.device, self.launched, self.done = device, [], 0
        self.on_side = threading.local()
        self.pinned, self.waited, self.recorded = [], [], []
        FakeCuda.made.append(self)

    def page_locked(self, like):
        self.pinned.append(torch.empty_like(like))
        return self.pinned[-1]

    @contextlib.contextmanager
    def on_side_stream(self):
        self.on_side.now = True
        yield
        self.on_side.now = False

    def to_device(self, tensor):
        assert self.on_side.now, "a copy on the stream that trains"
        assert any(tensor is memory for memory in self.pinned), "a copy from memory that is not page-locked"
        target = torch.full_like(tensor, 77)  # what is read too early
        self.launched.append(lambda: target.copy_(tensor))
        return target

    def record(self):
        return FakeEvent(self)

    def hand_over(self, event, tensors):
        self.waited.append(event)
        self.run_to(event.after)
        self.recorded.extend(tensors)

    def run_to(self, count):
        while self.done < count:
            self.launched[self.done]()
            self.done += 1


@pytest.fixture
def fake(monkeypatch):
    FakeCuda.made = []
    monkeypatch.setattr(_device, "Cuda", FakeCuda)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    return FakeCuda.made


def equal(a, b):
    return all(torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y for x, y in zip(a, b))


def test_the_cpu_s_batches_are_the_dataset_s_own(connection):
    feed = connection.open("mixup", batch=8, steps=4)
    plain = [mixfeed.torch.TensorBatch(*(x.clone() if isinstance(x, torch.Tensor) else x for x in batch))
             for batch in mixfeed.torch.FeedDataset(feed)]
    dataset = mixfeed.torch.FeedDataset(feed).to("cpu")
    addresses = set()
    for batch, expected in zip(dataset, plain):
        assert equal(batch, expected) and batch.images.device.type == "cpu"
        addresses.add(batch.images.data_ptr() % 64)
    assert addresses == {0}  # the client's buffers, not copies
    tensors = mixfeed.torch.to_tensors(feed[0])
    assert next(_device.moved(iter([tensors]), torch.device("cpu"))).images.data_ptr() == tensors.images.data_ptr()


@pytest.mark.parametrize("recipe", ["mixup", "cutmix"])
def test_batches_arrive_whole_and_in_order(connection, fake, recipe):
    feed = connection.open(recipe, batch=8, steps=12, seed=4)
    dataset = mixfeed.torch.FeedDataset(feed).to("cuda")
    seen = list(dataset)
    assert [batch.step for batch in seen] == list(range(12))
    for batch in seen:
        assert equal(batch, mixfeed.torch.to_tensors(feed[batch.step])), batch.step
    (cuda,) = fake
    tensors = sum(isinstance(value, torch.Tensor) for value in seen[0])
    assert cuda.device == torch.device("cuda", 0)
    assert len(cuda.pinned) == 2 * tensors  # two batches' memory, used again
    assert len(cuda.waited) == 12 and len(cuda.recorded) == 12 * tensors
    assert {id(tensor) for tensor in cuda.recorded} == {id(x) for batch in seen for x in batch
                                                        if isinstance(x, torch.Tensor)}


def test_page_locked_memory_is_written_again_only_after_its_copy(connection, fake):
    feed = connection.open("mixup", batch=8, steps=6)
    copier = _device.DeviceCopier(FakeCuda(torch.device("cuda", 0)))
    (cuda,) = fake
    batches = [mixfeed.torch.to_tensors(batch) for batch in feed]
    first, second = copier.start(batches[0]), copier.start(batches[1])
    assert cuda.done == 0  # both are under way
    third = copier.start(batches[2])
    assert cuda.done == first.copied.after < second.copied.after  # the first one's memory was waited for
    for started, batch in ((second, batches[1]), (first, batches[0]), (third, batches[2])):
        assert equal(copier.finish(started), batch)


def test_memory_follows_the_batches_size(connection, fake):
    feed = connection.open("mixup", batch=60).eval("test")
    batches = list(mixfeed.torch.FeedDataset(feed).to("cuda:1"))
    assert [len(batch.images) for batch in batches] == [60, 40]
    assert all(equal(batch, mixfeed.torch.to_tensors(feed[batch.step])) for batch in batches)
    assert fake[0].device == torch.device("cuda", 1)


def test_a_batch_that_is_there_does_not_wait_for_the_next(connection, fake):
    feed = connection.open("mixmatch", labels=50, batch=8)  # lockstep: step 1 waits for a push that never comes
    batches = iter(mixfeed.torch.FeedDataset(feed).to("cuda"))
    assert next(batches).step == 0
    batches.close()  # ends the thread, which waits for step 1
    wait_until(lambda: not any(thread.name.startswith("mixfeed-copy") for thread in threading.enumerate()))


def test_what_was_copied_ahead_is_not_counted(connection, fake):
    feed = connection.open("mixup", batch=8, steps=9)
    dataset = mixfeed.torch.FeedDataset(feed).to("cuda")
    for batch in dataset:
        assert dataset.state_dict()["next_step"] == batch.step + 1
        if batch.step == 4:
            break
    assert [batch.step for batch in dataset] == [5, 6, 7, 8]


def test_errors_of_the_feed_are_raised_in_the_loop(connection, fake):
    dataset = mixfeed.torch.FeedDataset(connection.open("mixup", normalise="loud")).to("cuda")
    with pytest.raises(mixfeed.InvalidArgument, match="loud"):
        next(iter(dataset))

    class Failing:
        def __init__(self):
            self.closed, self.asked_by = False, []

        def __iter__(self):
            return self

        def __next__(self):
            self.asked_by.append(threading.current_thread())
            raise mixfeed.Unavailable("gone")

        def close(self):
            self.closed = True

    failing = Failing()
    with pytest.raises(mixfeed.Unavailable, match="gone"):
        next(_device.moved_ahead(failing, torch.device("cuda", 0)))
    assert failing.closed
    assert failing.asked_by == [threading.current_thread()]  # which notices Ctrl-C, too


def test_after_an_error_the_iterator_goes_on(connection, fake, monkeypatch):
    to_tensors, failures = _device.to_tensors, [3]

    def failing(batch):
        if batch.step in failures:
            failures.clear()
            raise mixfeed.Unavailable("gone")
        return to_tensors(batch)

    monkeypatch.setattr(_device, "to_tensors", failing)
    iterator = iter(mixfeed.torch.FeedDataset(connection.open("mixup", batch=8, steps=6)).to("cuda"))
    assert [next(iterator).step for _ in range(3)] == [0, 1, 2]
    with pytest.raises(mixfeed.Unavailable, match="gone"):
        next(iterator)
    assert [batch.step for batch in iterator] == [3, 4, 5]


@pytest.mark.parametrize("told_by", ["the loop", "the pusher"])
def test_what_a_push_failed_with_is_not_left_to_the_copying_thread(connection, fake, told_by):
    feed = connection.open("mixmatch", labels=50, batch=8, model="small")  # lockstep: step 1 waits for a push
    batches = iter(mixfeed.torch.FeedDataset(feed).to("cuda"))
    assert next(batches).step == 0
    (thread,) = (thread for thread in threading.enumerate() if thread.name.startswith("mixfeed-copy"))

    def function():
        return sys._current_frames()[thread.ident].f_code.co_name

    wait_until(lambda: function() in ("_fetch", "__next__"))
    pusher = mixfeed.torch.push_weights(torch.nn.Linear(3, 10), feed)
    pusher.step()
    wait_until(lambda: function() == "_worker")  # it waits no more
    with pytest.raises(mixfeed.InvalidArgument):
        next(batches) if told_by == "the loop" else pusher.close()
    pusher.close()
    batches.close()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_copies_in_the_process_that_trains(connection, fake, workers):
    feed = connection.open("mixup", batch=8, steps=5)
    dataset = mixfeed.torch.FeedDataset(feed).to("cuda")
    arguments = dict(num_workers=1, multiprocessing_context="spawn") if workers else {}
    loader = mixfeed.torch.FeedLoader(dataset, **arguments)
    seen = []
    for batch in loader:
        assert dataset.next_step == batch.step + 1
        seen.append(batch)
    assert [batch.step for batch in seen] == list(range(5)) and len(fake) == 1
    assert all(equal(batch, mixfeed.torch.to_tensors(feed[batch.step])) for batch in seen)
    assert len(fake[0].waited) == 5


def test_a_loader_does_not_pin_what_is_on_the_device(connection, fake):
    dataset = mixfeed.torch.FeedDataset(connection.open("mixup", batch=8, steps=2))
    loader = mixfeed.torch.FeedLoader(dataset, pin_memory=True)
    dataset.to("cuda:1")
    with pytest.raises(mixfeed.InvalidArgument, match="pin_memory: True given for batches that are on 'cuda:1'"):
        next(iter(loader))
    assert len(dataset) == 2


def test_cuda_that_is_not_there_is_said(connection, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    dataset = mixfeed.torch.FeedDataset(connection.open("mixup", batch=8, steps=2))
    with pytest.raises(mixfeed.InvalidArgument, match=r"device: 'cuda' given, but torch.cuda.is_available\(\)"):
        dataset.to("cuda")
    assert [batch.step for batch in dataset] == [0, 1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_real_device_has_the_same_batches(connection):
    feed = connection.open("mixup", batch=64, steps=50)
    for batch in mixfeed.torch.FeedDataset(feed).to("cuda"):
        assert batch.images.is_cuda
        expected = mixfeed.torch.to_tensors(feed[batch.step])
        assert equal([x.cpu() if isinstance(x, torch.Tensor) else x for x in batch], expected)
