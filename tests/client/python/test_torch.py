"""mixfeed.torch: tensors, datasets in and out of DataLoaders, states and distributed ranks."""
import contextlib
import itertools
import pickle
import shutil
import subprocess
import sys
import typing

import mixfeed
import pytest

from conftest import running, write_cifar

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
import mixfeed.torch  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402


@pytest.fixture(scope="module")
def server(module_server):
    """Without the feeds of other tests, whose policies decide which pushes are taken."""
    return module_server


def steps_of(batches):
    return [batch.step for batch in batches]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.uint8, torch.bfloat16])
def test_tensors_share_the_batch_s_memory(connection, dtype):
    feed = connection.open("mixup", batch=8, run="tensors", dtype=dtype)
    batch = feed[2]
    tensors = mixfeed.torch.to_tensors(batch)
    assert tensors.images.dtype == dtype and tensors.images.shape == (8, 3, 32, 32)
    assert tensors.targets.data_ptr() == batch.targets.ctypes.data and tensors.targets.data_ptr() % 64 == 0
    if dtype != torch.bfloat16:
        assert tensors.images.data_ptr() == batch.images.ctypes.data
    expected = torch.from_numpy(feed.with_options(dtype=torch.float32)[2].images)
    if dtype == torch.uint8:
        expected = (expected + 1) * 127.5
    assert (tensors.images.float() - expected).abs().max() <= {torch.uint8: 0.51, torch.bfloat16: 2**-8}.get(dtype, 1e-3)
    batch.release()
    del batch
    assert torch.allclose(tensors.images.float().mean(), expected.mean(), atol=0.5)
    assert tensors.partner.dtype == torch.int64 and tensors.images[tensors.partner].shape == tensors.images.shape


def test_tensors_keep_what_is_no_array(connection):
    batch = connection.open("mixmatch", labels=50, batch=8, model="small", policy="newest")[1]
    tensors = mixfeed.torch.to_tensors(batch)
    assert tensors.guess_model == "small" and 0.1 < tensors.confidence < 1 and tensors.guess_age == 1
    for name, value in tensors._asdict().items():
        assert isinstance(value, torch.Tensor) or value == getattr(batch, name), name


def test_dlpack_takes_every_array(connection):
    batch = connection.open("mixup", batch=8, dtype="bfloat16")[0]
    again = torch.from_dlpack(batch.images)
    assert again.dtype == torch.bfloat16
    assert torch.from_dlpack(batch.images).data_ptr() == again.data_ptr()
    assert torch.equal(torch.from_dlpack(batch.lam), torch.from_numpy(batch.lam))


@pytest.mark.parametrize("workers, context", [(0, None), (2, "fork"), (2, "spawn")])
def test_a_loader_gives_every_step_in_order(server, workers, context):
    # Nothing has been asked of this connection yet; but fork() copies what other tests connected.
    script = f"""
import sys, mixfeed, mixfeed.torch, numpy as np

if __name__ == "__main__":
    feed = mixfeed.connect(sys.argv[1]).open("mixup", batch=8, seed=4, steps=11, from_step=2)
    dataset = mixfeed.torch.FeedDataset(feed)
    assert len(dataset) == 9
    loader = mixfeed.torch.FeedLoader(dataset, num_workers={workers}, multiprocessing_context={context!r})
    seen = []
    for batch in loader:
        seen.append((batch.step, batch.images.clone().numpy()))
        assert dataset.state_dict()["next_step"] == batch.step + 1 == dataset.next_step
        if batch.step == 5:
            break  # what the workers have made ahead is not lost
    seen += [(batch.step, batch.images.clone().numpy()) for batch in loader]
    assert dataset.state_dict()["next_step"] == 11
    assert [step for step, _ in seen] == list(range(2, 11)), seen
    lengths = []
    assert [(lengths.append(len(loader)), batch.step)[1] for batch in loader] == list(range(2, 11))  # from its start
    assert lengths == [9] * 9
    for step, images in seen:
        assert np.array_equal(feed[step].images, images)
"""
    subprocess.run([sys.executable, "-W", "error::DeprecationWarning:__main__", "-c", script, server.address], check=True)


def test_a_plain_data_loader_shares_the_steps_too(server):
    script = """
import sys, mixfeed, mixfeed.torch
from torch.utils.data import DataLoader
if __name__ == "__main__":
    feed = mixfeed.connect(sys.argv[1]).open("mixup", batch=8, steps=12, rank=1, world=2)
    loader = DataLoader(mixfeed.torch.FeedDataset(feed), batch_size=None, num_workers=2)
    assert [batch.step for batch in loader] == [1, 3, 5, 7, 9, 11]
"""
    subprocess.run([sys.executable, "-c", script, server.address], check=True)


@pytest.mark.parametrize("made_by", ["dataset", "FeedLoader", "DataLoader", "persistent workers"])
def test_each_epoch_is_a_whole_one(connection, made_by):
    dataset = mixfeed.torch.FeedDataset(connection.open("mixup", batch=8).eval("test", batch=40))
    if made_by == "dataset":
        batches = dataset
    elif made_by == "FeedLoader":
        batches = mixfeed.torch.FeedLoader(dataset)
    else:
        workers = dict(num_workers=2, multiprocessing_context="spawn", persistent_workers=True)
        batches = DataLoader(dataset, batch_size=None, **(workers if made_by == "persistent workers" else {}))
    assert [[len(batch.images) for batch in batches] for _ in range(3)] == [[40, 40, 20]] * 3


def test_an_ordered_feed_of_open_has_an_end(connection):
    feed = connection.open("eval", pool="test", batch=40)
    assert (len(feed), feed.steps, len(feed.with_options(rank=1, world=2))) == (3, 3, 1)
    dataset = mixfeed.torch.FeedDataset(connection.open("eval", pool="test", batch=40))
    assert [[len(batch.images) for batch in dataset] for _ in range(3)] == [[40, 40, 20]] * 3
    assert dataset.state_dict()["next_step"] == len(dataset) == 3
    for steps, end in ((2, 2), (9, 3)):
        given = connection.open("eval", pool="test", batch=40, steps=steps)
        assert len(given) == end and steps_of(given) == list(range(end))
    with pytest.raises(mixfeed.OutOfRange, match=r"step: 3 given, must be 0\.\.2"):
        feed[3]


def test_a_loop_that_broke_off_is_gone_on_with_and_the_next_is_whole(connection):
    dataset = mixfeed.torch.FeedDataset(connection.open("mixup", batch=8, steps=5, from_step=1))
    assert steps_of(itertools.islice(dataset, 2)) == [1, 2]
    with pytest.raises(ZeroDivisionError):
        for batch in dataset:
            batch.step / (batch.step - 3)
    assert steps_of(dataset) == [4]
    assert steps_of(itertools.islice(dataset, 4)) == [1, 2, 3, 4]
    assert steps_of(dataset) == []  # what was left: the loop before had not been told of the end
    assert steps_of(dataset) == [1, 2, 3, 4]
    dataset.feed.close()  # between loops it changes nothing
    iterator = iter(dataset)
    assert next(iterator).step == 1
    dataset.feed.close()
    assert list(iterator) == [] and steps_of(dataset) == [2, 3, 4]


def test_a_state_of_something_else_changes_nothing(connection):
    dataset = mixfeed.torch.FeedDataset(connection.open("mixup", batch=8, run="mine", steps=5))
    next(iter(dataset))
    state = dataset.state_dict()
    for name in ("run", "spec", "next_step"):
        with pytest.raises(mixfeed.InvalidArgument, match=f"state: it has no '{name}'"):
            dataset.load_state_dict({key: 3 for key in state if key != name})
    with pytest.raises(mixfeed.InvalidArgument, match="next_step: -1"):
        dataset.load_state_dict({**state, "run": "other", "next_step": -1})
    other = mixfeed.torch.FeedDataset(connection.open("mixup", batch=8, run="other", seed=1))
    with pytest.raises(mixfeed.InvalidArgument, match=f"state: it is of spec {other.feed.spec_digest}") as caught:
        dataset.load_state_dict(other.state_dict())
    assert "from_step=" in caught.value.hint
    next(iter(other))  # opens it
    with pytest.raises(mixfeed.InvalidArgument, match=f"state: it is of feed {other.feed.info.feed_id}"):
        dataset.load_state_dict(other.state_dict())
    assert dataset.state_dict() == state and dataset.feed.run == "mine"
    forked = mixfeed.torch.FeedDataset(connection.open("mixup", batch=8, run="forked", steps=7, dtype="uint8"))
    dataset.load_state_dict({**forked.state_dict(), "next_step": 2})
    assert dataset.feed.run == "forked" and steps_of(dataset) == [2, 3, 4]


def test_a_fork_s_state_fits_the_feed_that_is_opened_by_keywords(connection):
    spec = dict(labels=50, batch=8, model="small", policy="newest", steps=4)
    trunk = connection.open("mixmatch", run="trunk-of-states", **spec)
    assert trunk[1].step == 1
    dataset = mixfeed.torch.FeedDataset(mixfeed.fork(trunk, 1, "branch-of-states"))
    assert dataset.state_dict()["feed_id"] is None
    assert next(iter(dataset)).step == 1
    state = dataset.state_dict()
    assert state["feed_id"] == dataset.feed.info.feed_id
    again = mixfeed.torch.FeedDataset(connection.open("mixmatch", **spec))
    again.load_state_dict(state)
    assert steps_of(again) == [2, 3]


def test_a_state_of_another_dataset_is_refused(own_server):
    def opened():
        return mixfeed.torch.FeedDataset(mixfeed.connect(own_server.address).open("mixup", batch=8, run="kept", steps=4))

    dataset = opened()
    next(iter(dataset))
    state = dataset.state_dict()
    own_server.kill()
    shutil.rmtree(own_server.work / "cifar")
    write_cifar(own_server.work / "cifar", coloured=True)
    own_server.start()
    again = opened()
    with pytest.raises(mixfeed.InvalidArgument, match=f"state: it is of feed {state['feed_id']}") as caught:
        again.load_state_dict(state)
    assert "dataset of before" in caught.value.hint and again.next_step == 0
    again.load_state_dict({**state, "feed_id": None})  # nothing to compare it by
    assert steps_of(again) == [1, 2, 3]


def test_states_of_workers_go_on_where_each_was(connection, monkeypatch):
    """As torchdata's StatefulDataLoader asks for them, and loads them, in the workers."""

    class Worker(typing.NamedTuple):
        id: int
        num_workers: int = 2

    def in_worker(number, steps, state=None):
        monkeypatch.setattr("mixfeed.torch._dataset.get_worker_info", lambda: Worker(number))
        dataset = mixfeed.torch.FeedDataset(connection.open("mixup", batch=8, run="workers", steps=steps))
        if state:
            dataset.load_state_dict(state)
        return dataset

    first = in_worker(0, 9)
    assert steps_of(itertools.islice(first, 5)) == [0, 2, 4, 6, 8]  # all of them, but it was not told of the end
    second = in_worker(1, 9)
    assert steps_of(itertools.islice(second, 3)) == [1, 3, 5]
    states = first.state_dict(), second.state_dict()
    assert [steps_of(in_worker(number, 9, state)) for number, state in enumerate(states)] == [[], [7]]
    assert [steps_of(in_worker(number, 12, state)) for number, state in enumerate(states)] == [[10], [7, 9, 11]]


def test_a_loader_has_the_dataset_s_state(connection):
    feed = connection.open("mixup", batch=8, steps=4)
    loader = mixfeed.torch.FeedLoader(mixfeed.torch.FeedDataset(feed))
    assert steps_of(itertools.islice(loader, 3)) == [0, 1, 2]
    again = mixfeed.torch.FeedLoader(mixfeed.torch.FeedDataset(feed))
    again.load_state_dict(loader.state_dict())
    assert steps_of(again) == [3] and again.dataset.state_dict() == again.state_dict()


def test_a_batch_whose_delivery_is_interrupted_is_given_again(connection):
    interrupted = []

    def collate(batch):
        if batch.step == 2 and not interrupted:
            interrupted.append(batch.step)
            raise KeyboardInterrupt
        return batch.step

    dataset = mixfeed.torch.FeedDataset(connection.open("mixup", batch=8, steps=5))
    loader = mixfeed.torch.FeedLoader(dataset, collate_fn=collate)
    iterator = iter(loader)
    assert [next(iterator), next(iterator)] == [0, 1]
    with pytest.raises(KeyboardInterrupt):
        next(iterator)
    assert interrupted == [2] == [loader.state_dict()["next_step"]]
    assert list(iterator) == [2, 3, 4]


def test_a_loader_without_workers_pins_what_it_collated(connection, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("mixfeed.torch._dataset.pin_memory", lambda batch, device: (batch, device))
    dataset = mixfeed.torch.FeedDataset(connection.open("mixup", batch=8, steps=2))
    loader = mixfeed.torch.FeedLoader(dataset, pin_memory=True, collate_fn=lambda batch: batch.step)
    assert list(loader) == [(0, None), (1, None)]


def test_a_state_of_the_end_is_at_the_end(connection):
    dataset = mixfeed.torch.FeedDataset(connection.open("mixup", batch=8, run="longer", steps=3))
    assert steps_of(dataset) == [0, 1, 2]
    state = dataset.state_dict()
    dataset.load_state_dict(state)
    assert steps_of(dataset) == [] and steps_of(dataset) == [0, 1, 2]
    longer = mixfeed.torch.FeedDataset(connection.open("mixup", batch=8, run="longer", steps=5))
    longer.load_state_dict(state)
    assert steps_of(longer) == [3, 4] and steps_of(longer) == [0, 1, 2, 3, 4]


def test_one_loop_at_a_time(connection):
    feed = connection.open("mixup", batch=8, steps=6)
    dataset = mixfeed.torch.FeedDataset(feed)
    first, second = iter(dataset), iter(dataset)
    assert next(first).step == 0 and next(second).step == 1
    for _ in range(2):
        with pytest.raises(mixfeed.FailedPrecondition, match="another loop over it has begun") as caught:
            next(first)
    assert "FeedDataset each" in caught.value.hint
    dataset.load_state_dict(dataset.state_dict())
    with pytest.raises(mixfeed.FailedPrecondition, match="or a state was loaded"):
        next(second)
    assert steps_of(dataset) == [2, 3, 4, 5]
    side_by_side = zip(mixfeed.torch.FeedDataset(feed), mixfeed.torch.FeedDataset(feed))
    assert [steps_of(pair) for pair in side_by_side] == [[step, step] for step in range(6)]


@pytest.mark.parametrize("workers", [None, 2])
def test_after_an_error_the_iterator_goes_on(own_server, workers):
    feed = mixfeed.connect(own_server.address, wait=2).open("mixup", batch=8, run="away", prefetch=1)
    dataset = mixfeed.torch.FeedDataset(feed)
    arguments = dict(num_workers=workers, multiprocessing_context="spawn") if workers else {}
    iterator = iter(dataset if workers is None else mixfeed.torch.FeedLoader(dataset, **arguments))
    steps = [next(iterator).step]
    own_server.kill()
    for _ in range(1 if workers else 2):
        with pytest.raises(ConnectionError):
            while True:  # what had arrived before is still given
                steps.append(next(iterator).step)
        assert dataset.next_step == len(steps)
    own_server.start()
    steps += steps_of(itertools.islice(iterator, 4))
    assert steps == list(range(len(steps)))


def test_workers_of_a_process_that_connected_are_not_forked(connection):
    feed = connection.open("mixup", batch=8, steps=4)
    dataset = mixfeed.torch.FeedDataset(feed)
    loader = mixfeed.torch.FeedLoader(dataset, num_workers=1)
    assert feed[0].step == 0  # also after the loader was made
    assert steps_of(loader) == [0, 1, 2, 3] and loader.multiprocessing_context.get_start_method() == "spawn"
    forking = mixfeed.torch.FeedLoader(dataset, num_workers=1, multiprocessing_context="fork")
    with pytest.raises(Exception, match="multiprocessing_context='spawn'"):
        next(iter(forking))


def test_workers_of_a_process_that_has_not_connected_are_forked(server):
    script = """
import sys, mixfeed, mixfeed.torch
feed = mixfeed.connect(sys.argv[1]).open("mixup", batch=8, steps=4)
loader = mixfeed.torch.FeedLoader(mixfeed.torch.FeedDataset(feed), num_workers=2)  # not under __name__ == "__main__"
print([batch.step for batch in loader], loader.multiprocessing_context)
"""
    out = subprocess.check_output([sys.executable, "-c", script, server.address], text=True)
    assert out == "[0, 1, 2, 3] None\n"


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_that_is_not_told_batch_size_takes_whole_batches(connection, workers):
    dataset = mixfeed.torch.FeedDataset(connection.open("mixup", batch=8, steps=3))
    arguments = dict(num_workers=workers, multiprocessing_context="spawn" if workers else None)
    seen = list(DataLoader(dataset, **arguments))
    assert steps_of(seen) == [0, 1, 2] and seen[0].images.shape == (8, 3, 32, 32) and seen[0].box is None
    with pytest.raises(mixfeed.InvalidArgument, match="batch_size: 2 given") as caught:
        next(iter(DataLoader(dataset, batch_size=2, **arguments)))
    assert "batch_size=None" in str(caught.value)


def test_what_a_loader_cannot_do_is_refused(connection):
    split = mixfeed.torch.FeedDataset(connection.open("mixup", batch=8, world=2, sharing="split", steps=2))
    with pytest.raises(Exception, match="sharing='split' allows 0 or 1"):
        next(iter(mixfeed.torch.FeedLoader(split, num_workers=2, multiprocessing_context="spawn")))
    with pytest.raises(ValueError, match="persistent_workers"):
        mixfeed.torch.FeedLoader(split, num_workers=2, persistent_workers=True)
    with pytest.raises(ValueError, match="in_order: False given"):
        mixfeed.torch.FeedLoader(split, num_workers=2, in_order=False)
    with pytest.raises(TypeError, match="endless"):
        len(mixfeed.torch.FeedDataset(connection.open("mixup")))


@pytest.mark.parametrize("sharing", ["round-robin", "broadcast", "split"])
def test_a_state_loses_and_repeats_nothing(connection, sharing):
    world = 2
    feeds = [connection.open("mixup", batch=8, run="state", steps=9, rank=rank, world=world, sharing=sharing)
             for rank in range(world)]
    datasets = [mixfeed.torch.FeedDataset(feed) for feed in feeds]
    seen = [steps_of(itertools.islice(dataset, 3)) for dataset in datasets]
    states = [dataset.state_dict() for dataset in datasets]
    seen_by_all = 6 if sharing == "round-robin" else 3
    assert states[0] == states[1] == {"run": "state", "spec": feeds[0].spec_digest, "next_step": seen_by_all,
                                      "feed_id": feeds[0].info.feed_id}
    rest = []
    for rank in range(world):  # in other processes, as far as states go
        again = mixfeed.torch.FeedDataset(connection.open("mixup", batch=8, steps=9, rank=rank, world=world,
                                                          sharing=sharing))
        again.load_state_dict(pickle.loads(pickle.dumps(states[0])))
        assert again.feed.run == "state"
        rest.append(steps_of(again))
        assert again.state_dict()["next_step"] == 9  # also where one rank has a batch more than the other
    if sharing == "round-robin":
        assert sorted(sum(seen + rest, [])) == list(range(9))
    else:
        assert all(seen[rank] + rest[rank] == list(range(9)) for rank in range(world))


def test_another_world_size_goes_on_with_every_step_once(connection):
    def datasets(world):
        return [mixfeed.torch.FeedDataset(connection.open("mixup", batch=8, run="grown", steps=20, rank=rank, world=world))
                for rank in range(world)]

    seen, state = [], datasets(1)[0].state_dict()
    for world, rounds in [(2, 3), (3, 2), (1, 1), (4, 9)]:
        members = datasets(world)
        for member in members:
            member.load_state_dict(state)
            seen += steps_of(itertools.islice(member, rounds))
        if world < 4:
            (state,) = {str(member.state_dict()): member.state_dict() for member in members}.values()
    assert sorted(seen) == list(range(20))


def test_ranks_are_torch_distributed_s(connection):
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    try:
        dataset = mixfeed.torch.FeedDataset(connection.open("mixup", batch=8))
        assert (dataset.feed.options.rank, dataset.feed.options.world) == (0, 1)
        kept = mixfeed.torch.FeedDataset(connection.open("mixup", batch=8, rank=2, world=3))
        assert (kept.feed.options.rank, kept.feed.options.world) == (2, 3)
    finally:
        torch.distributed.destroy_process_group()


def of_two_ranks(server, folder, script):
    """What each of two gloo processes prints; the script has rank, connection, and shown(feed), which prints steps."""
    before = """
import sys, mixfeed, torch, mixfeed.torch
rank = int(sys.argv[2])
torch.distributed.init_process_group("gloo", init_method=f"file://{sys.argv[3]}", rank=rank, world_size=2)
connection = mixfeed.connect(sys.argv[1])
def shown(feed, **arguments):
    try:
        print([batch.step for batch in mixfeed.torch.FeedDataset(feed, **arguments)])
    except mixfeed.Error as error:
        print(type(error).__name__, error)
"""
    with contextlib.ExitStack() as stack:
        command = [sys.executable, "-c", before + script + "torch.distributed.barrier()", server.address]
        processes = [stack.enter_context(running([*command, str(rank), str(folder / "store")])) for rank in range(2)]
        return [process.communicate(timeout=300) for process in processes]


def test_two_distributed_ranks_share_the_steps(server, tmp_path):
    (first, _), (second, _) = outputs = of_two_ranks(server, tmp_path, """
feed = connection.open("mixup", batch=8, run="ddp", steps=6)
shown(feed)
shown(feed, distributed=False)
shown(feed.with_options(world=3, rank=rank))
shown(feed.with_options(world=3, rank=rank), distributed=True)
shown(feed.eval("test", batch=25))
shown(feed.eval("test", batch=25), distributed=True)
""")
    everything = [0, 1, 2, 3, 4, 5]
    assert [first.splitlines(), second.splitlines()] == [
        [str(steps) for steps in (everything[rank::2], everything, everything[rank::3], everything[rank::2],
                                  [0, 1, 2, 3], [rank, rank + 2])] for rank in range(2)], outputs


def test_ranks_that_would_wait_for_ever_are_told_why(server, tmp_path):
    outputs = of_two_ranks(server, tmp_path, """
shown(connection.open("mixup", batch=8, steps=2))
shown(connection.open("mixup", batch=8, steps=2, run="seeds", seed=rank))
for settings in ({}, {"recipe.guess.policy": "DELAYED"}, {"recipe.guess.batches_per_update": 3}):
    shown(connection.open("mixmatch", labels=50, batch=8, model="small", run="waits", steps=2, set=settings))
shown(connection.open("mixmatch", labels=50, batch=8, model="small", run="waits", steps=2, world=2, rank=rank))
for settings in ({"recipe.guess.batches_per_update": 4}, {"recipe.guess.policy": "NEWEST"}):
    shown(connection.open("mixmatch", labels=50, batch=8, model="small", run="good", steps=2, set=settings))
shown(connection.open("mixmatch", labels=50, batch=8, model="small", run="all", steps=1, sharing="broadcast"))
""")
    for rank, (out, err) in enumerate(outputs):
        lines = [line for line in out.splitlines() if not line.startswith("Hint")]
        hints = [line for line in out.splitlines() if line.startswith("Hint")]
        assert len(lines) == 9, (out, err)
        assert lines[0].startswith("InvalidArgument run: the ranks opened different ones, '")
        assert 'run="NAME"' in hints[0]
        assert lines[1] == "InvalidArgument feed: the ranks opened feeds of different specs" and "seed" in hints[1]
        for line, hint, given in zip(lines[2:6], hints[2:], (1, 1, 3, 1)):
            assert line.startswith(f"InvalidArgument recipe.guess.batches_per_update: {given} given; 2 ranks train")
            assert 'set={"recipe.guess.batches_per_update": 2}' in hint
        assert lines[6:] == [f"[{rank}]", f"[{rank}]", "[0]"]


def test_ranks_need_torch_distributed(connection):
    with pytest.raises(mixfeed.InvalidArgument, match="torch.distributed is not initialised") as caught:
        mixfeed.torch.FeedDataset(connection.open("mixup"), distributed=True)
    assert "init_process_group" in caught.value.hint
