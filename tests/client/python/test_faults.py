"""Servers that are not what the client expects, networks that do not fit a feed, and what long use leaves behind."""
import contextlib
import gc
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import threading

import mixfeed
import numpy as np
import pytest

from conftest import running

# A gRPC server that knows what its arguments say alone: METHOD=HEX answers METHOD with those bytes.
OTHER_SERVER = r"""
import sys, grpc
from concurrent import futures

answers = dict(argument.split("=") for argument in sys.argv[1:])

class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        answer = answers.get(details.method)
        if answer is None:
            return None
        return grpc.unary_unary_rpc_method_handler(lambda request, context: bytes.fromhex(answer))

server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Handler()])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(f"127.0.0.1:{port}", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def server(module_server):
    """Its models are others than the other tests'."""
    return module_server


@contextlib.contextmanager
def other_server(**answers):
    arguments = [f"/mixfeed.v1.{method.replace('_', '/')}={answer.hex()}" for method, answer in answers.items()]
    process = subprocess.Popen(["/usr/bin/python3", "-c", OTHER_SERVER, *arguments], text=True, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.communicate()


def test_a_server_of_another_protocol_is_said():
    with other_server() as address:  # has no mixfeed.v1
        connection = mixfeed.connect(address, wait=5, deadline=5)
        for use in (lambda: connection.open("mixup")[0], lambda: next(iter(connection.open("mixup"))), connection.info):
            with pytest.raises(mixfeed.Unimplemented) as raised:
                use()
            assert isinstance(raised.value, NotImplementedError) and "as new as this package" in raised.value.hint


def message(stubs, text):
    """A message that stock protobuf serialises: "feed_pb2.OpenFeedResponse(rows=4)"."""
    script = f"""
import sys
sys.path.insert(0, sys.argv[1])
from mixfeed.v1 import feed_pb2
sys.stdout.buffer.write(({text}).SerializeToString())
"""
    return subprocess.run(["/usr/bin/python3", "-c", script, stubs], check=True, capture_output=True).stdout


def test_answers_of_another_protocol_are_no_batches(stubs):
    opened = message(stubs, "feed_pb2.OpenFeedResponse(feed_id='f' * 32, run='r', rows=4, classes=10, "
                            "image={'channels': 3, 'height': 32, 'width': 32})")
    short = message(stubs, "feed_pb2.Batch(header={'rows': 4, 'classes': 10}, pixels=b'12', targets=b'34')")
    for answer in (b"\xff\xff\xff", short):
        with other_server(FeedService_OpenFeed=opened, FeedService_GetBatch=answer) as address:
            with pytest.raises(mixfeed.DataLoss):
                mixfeed.connect(address, wait=5, deadline=5).open("mixup", batch=4)[0]


def test_a_port_that_speaks_something_else_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def answer():
            with contextlib.suppress(OSError):
                while True:
                    with listener.accept()[0] as peer:
                        peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        address = "127.0.0.1:%d" % listener.getsockname()[1]
        with pytest.raises(mixfeed.Unavailable, match=address):
            mixfeed.connect(address, wait=0.5, deadline=0.5).info()
        listener.shutdown(socket.SHUT_RDWR)


def test_a_plan_of_another_version_is_refused(connection):
    with pytest.raises(mixfeed.Error, match="plan_version"):
        connection.open(spec={"plan_version": 999, "recipe": {"preset": "mixup"}})[0]


def test_a_model_of_other_classes_is_refused(own_server):
    connection = mixfeed.connect(own_server.address)
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from mixfeed.torch import mixmatch_loss, mixup_loss, register
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, 4), torch.nn.BatchNorm2d(4), torch.nn.Flatten(),
                              torch.nn.Linear(256, 7))
    register(net, "seven", connection, classes=7, image=(3, 32, 32))
    feed = connection.open("mixmatch", labels=50, batch=8, model="seven", policy="newest")
    with pytest.raises(mixfeed.Error, match="seven.*7|7.*seven") as raised:
        feed[0]
    assert "10" in raised.value.message and "classes=" in raised.value.hint
    batch = connection.open("mixmatch", labels=50, batch=8, model="small", policy="newest")[0]
    for loss in (mixmatch_loss, mixup_loss):
        with pytest.raises(mixfeed.InvalidArgument, match=r"shape \(24, 10\) given, must be \(24, 7\)") as raised:
            loss(net(torch.from_numpy(batch.images)), batch)
        assert "last layer must have the feed's classes" in raised.value.hint


def test_pixels_of_another_form_than_the_network_takes_are_said(connection):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from mixfeed.torch import ManifoldMixup, to_tensors
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten(),
                              torch.nn.Linear(3600, 10))
    feed = connection.open("manifold", batch=8, seed=2)
    manifold = ManifoldMixup(net, feed, layers=["0", "1"])
    steps = [next(batch.step for batch in feed if batch.layer == layer) for layer in (0, 1)]
    for options, message, hint in (
            (dict(dtype="uint8"), "images: torch.uint8 .* given, .* parameters are of float32", "dtype="),
            (dict(dtype="float16"), "images: torch.float16 .* parameters are of float32", "dtype="),
            (dict(layout="nhwc"), r"images: .* \(8, 32, 32, 3\) given, .* take \[rows, 3, height, width\]", "layout=")):
        for step in steps:
            batch = feed.with_options(**options)[step]
            for given in (batch, to_tensors(batch)):
                with pytest.raises(mixfeed.InvalidArgument, match=message) as raised:
                    manifold(given)
                assert hint in raised.value.hint and isinstance(raised.value.__cause__, RuntimeError)
    with torch.autocast("cpu", torch.bfloat16):  # casts by itself, as a network may
        assert manifold(feed.with_options(dtype="bfloat16")[steps[1]]).shape == (8, 10)
    narrow = torch.nn.Sequential(torch.nn.Linear(5, 5), torch.nn.ReLU())
    with pytest.raises(RuntimeError, match="shape"):  # which has other causes
        ManifoldMixup(narrow, feed, layers=["0", "1"])(feed[steps[0]])
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(RuntimeError, match="shape"):
        ManifoldMixup(narrow, feed, layers=["0", "1"])(feed.with_options(dtype="bfloat16")[steps[0]])

    class OutOfMemory(RuntimeError):
        pass

    def fail(*inputs):
        raise OutOfMemory

    net.register_forward_pre_hook(fail)
    with pytest.raises(OutOfMemory):  # as it is
        manifold(feed.with_options(dtype="uint8")[steps[0]])


def push_with(**arguments):
    """A push to "lockstepped", whose newest weights are of update 5."""
    def push(connection):
        torch = pytest.importorskip("torch", reason="PyTorch is not installed")
        from mixfeed.torch import push_weights, register
        net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, 4), torch.nn.BatchNorm2d(4), torch.nn.Flatten(),
                                  torch.nn.Linear(256, 10))
        register(net, "lockstepped", connection, update=5)
        feed = connection.open("mixmatch", labels=50, batch=8, model="lockstepped", run="pushed-to")
        feed.info
        with push_weights(net, feed, **arguments) as pusher:
            pusher.push()
    return push


@pytest.mark.parametrize("cause, error, hint", [
    (lambda c: c.open(spec={"plan_version": 999, "recipe": {"preset": "mixup"}})[0], mixfeed.InvalidArgument,
     "plan_version in `spec`"),
    (lambda c: c.open("mixmatch", labels=50, batch=8, model="absent", policy="newest")[0], mixfeed.FailedPrecondition,
     r"connection.register_model\(NAME"),
    (lambda c: (c.register_model("second", "resnet-small"), c.open("mixmatch", labels=50, batch=8, policy="newest")[0]),
     mixfeed.FailedPrecondition, "model=NAME of open"),
    (push_with(every=3, update=6), mixfeed.FailedPrecondition, "policy='newest' of open.*every=1"),
    (push_with(update=3), mixfeed.FailedPrecondition, r"rewind=True of push_weights.*mixfeed.fork\(feed, step\)"),
    (lambda c: mixfeed.connect(""), mixfeed.InvalidArgument, "127.0.0.1:50051"),
    (lambda c: mixfeed.connect(f"http://{c.server}"), mixfeed.InvalidArgument, "127.0.0.1:50051"),
    (lambda c: c.open("mixup", dataset="cats")[0], mixfeed.NotFound, r"connection.info\(\)"),
    (lambda c: c.open("mixup", batch=8, steps=3)[3], mixfeed.OutOfRange, "feed.steps"),
    (lambda c: c.open("mixup", alpha=-1)[0], mixfeed.InvalidArgument, r"mixfeed.show_recipe\(NAME\)"),
    (lambda c: mixfeed.model_stats(c.open("mixup", batch=8)), mixfeed.FailedPrecondition, "'mixmatch'"),
    (lambda c: c.open("mixmatch", labels=50, batch=8, model="small", policy="newest", weights="ema")[0],
     mixfeed.FailedPrecondition, "ema_decay="),
    (lambda c: released(c.open("mixup", batch=8)[0]).images, mixfeed.BatchReleased, "Copy"),
])
def test_a_refusal_says_what_to_do_in_python(connection, cause, error, hint):
    with pytest.raises(error) as raised:
        cause(connection)
    assert re.search(hint, raised.value.hint), raised.value
    assert not re.search("(^| )--[a-z]", raised.value.hint)  # the CLI's flags


def test_a_loop_that_the_server_has_no_room_for_is_told_at_once(server):
    feed = mixfeed.connect(server.address, wait=3600).open("mixup", batch=4096, prefetch=64,  # 3.2 GB of slots
                                                           set={"recipe.labelled_sampling": "with_replacement"})
    with pytest.raises(mixfeed.ResourceExhausted, match="slots of .* bytes are needed") as raised:
        next(iter(feed))
    assert "smaller batch or `prefetch`" in raised.value.hint
    assert next(iter(feed.with_options(prefetch=1, dtype="uint8"))).rows == 4096


def released(batch):
    batch.release()
    return batch


def test_errors_of_workers_keep_their_hint(connection):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from mixfeed.torch import FeedDataset, FeedLoader
    feed = connection.open("mixup", batch=8, steps=6, dataset="cats")
    loader = FeedLoader(FeedDataset(feed), num_workers=1, multiprocessing_context="spawn")
    with pytest.raises(mixfeed.NotFound, match="cats") as raised:
        list(loader)
    assert raised.value.hint == mixfeed.NotFound.default_hint and raised.value.message.startswith("Caught NotFound")
    assert str(raised.value).count("Hint: ") == 1


def test_an_error_is_made_again_of_its_text():
    for error in (mixfeed.Aborted("a"), mixfeed.NotFound("a", "b"), mixfeed.DataLoss("a"),
                  mixfeed.InvalidArgument("a", "")):
        again = type(error)(str(error))
        assert (again.message, again.hint) == (error.message, error.hint)
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), copy.message, copy.hint) == (type(error), error.message, error.hint)


@pytest.fixture
def net(own_server):
    """Registered as "net", in a connection of its own."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from mixfeed.torch import register
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, 4), torch.nn.BatchNorm2d(4), torch.nn.Flatten(),
                                 torch.nn.Linear(256, 10))
    register(module, "net", mixfeed.connect(own_server.address))
    return module


def test_pushes_survive_the_server_s_restart(own_server, net):
    from mixfeed.torch import push_weights
    feed = mixfeed.connect(own_server.address).open("mixmatch", labels=50, batch=8, model="net", steps=30)  # lockstep
    updates = []
    with push_weights(net, feed) as pusher:
        for batch in feed:
            updates.append(batch.guess_update)
            if batch.step == 10:
                own_server.kill()  # while the next is pushed
                pusher.step()
                own_server.start()
            else:
                pusher.step()
                if batch.step == 20:
                    own_server.restart()
    assert updates == list(range(30)) and pusher.version == 30


def test_a_push_to_a_server_that_stays_away_is_an_error(own_server, net):
    from mixfeed.torch import push_weights
    feed = mixfeed.connect(own_server.address, wait=0.5).open("mixmatch", labels=50, batch=8, model="net")
    pusher = push_weights(net, feed)
    own_server.kill()
    pusher.step()
    with pytest.raises(mixfeed.Unavailable):
        pusher.close()


class Lossy:
    """A client whose first push `happens`, if at all, without an answer."""

    def __init__(self, client, happens):
        self._client = client
        self._happens = happens
        self.pushes = 0

    def __getattr__(self, name):
        return getattr(self._client, name)

    def push_weights_json(self, **push):
        self.pushes += 1
        if self.pushes > 1:
            return self._client.push_weights_json(**push)
        self._happens(self._client, push)
        raise mixfeed.DeadlineExceeded("lost")


@pytest.mark.parametrize("happens, pushes", [
    (lambda client, push: client.push_weights_json(**push), 1),
    (lambda client, push: None, 2),
])
def test_a_push_whose_answer_is_lost_arrives_once(own_server, net, happens, pushes):
    from mixfeed.torch import push_weights
    connection = mixfeed.connect(own_server.address)
    feed = connection.open("mixmatch", labels=50, batch=8, model="net", policy="newest")
    connection._client = lossy = Lossy(connection._connected(), happens)
    with push_weights(net, feed) as pusher:
        pusher.step()
        pusher.step()
    (model,) = (model for model in connection.info()["models"] if model["name"] == "net")
    assert lossy.pushes == pushes + 1 and pusher.version == int(model["version"]) == int(model["update"]) == 2


def test_another_s_push_instead_of_one_that_was_lost_is_said(own_server, net):
    from mixfeed.torch import push_weights
    connection = mixfeed.connect(own_server.address)
    feed = connection.open("mixmatch", labels=50, batch=8, model="net", policy="newest")
    connection._client = Lossy(connection._connected(),
                               lambda client, push: client.push_weights_json(**{**push, "update": 7}))
    pusher = push_weights(net, feed)
    pusher.step()
    with pytest.raises(mixfeed.Aborted, match="another trainer has pushed version 1 of net, of update 7"):
        pusher.close()


# Pushes when it gets a line.
PUSHING = """
import sys, torch, mixfeed
from mixfeed.torch import push_weights
feed = mixfeed.connect(sys.argv[1], deadline=3600).open("mixmatch", labels=50, batch=8, model="net")
try:
    with push_weights(torch.jit.load(sys.argv[2]), feed) as pusher:
        print("ready", flush=True)
        sys.stdin.readline()
        pusher.step()
        print("pushed", flush=True)
        pusher.wait()
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_ctrl_c_does_not_wait_for_a_push_that_is_stuck(own_server, net, tmp_path):
    import torch
    torch.jit.script(net).save(str(tmp_path / "net.pt"))
    command = [sys.executable, "-c", PUSHING, own_server.address, tmp_path / "net.pt"]
    with running(command, stdin=subprocess.PIPE) as process:
        assert process.stdout.readline() == "ready\n"
        own_server.process.send_signal(signal.SIGSTOP)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "pushed\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (out, err, process.returncode) == ("interrupted\n", "", 0)


def resident_bytes():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def go_through(feed):
    """2,000 batches, and all that a loop may do to them."""
    kept = None
    for batch in feed:
        kept = batch.images  # outlives its batch by one round
        if batch.step % 100 == 0:
            next(iter(feed))  # abandoned
            with contextlib.suppress(ZeroDivisionError):
                for inner in feed:
                    inner.targets[0] / 0 if inner.step else 1 / 0
            assert feed[batch.step].targets.shape[0] == batch.rows
        if batch.step % 500 == 0:
            with feed.views(batch.step) as views:
                feed.mix(batch.step, guesses=np.zeros((0, views.classes)))
            with contextlib.suppress(mixfeed.InvalidArgument):
                feed.mix(batch.step, guesses=np.zeros(3))
    del kept


def test_20_000_batches_leave_nothing_behind(connection):
    feed = connection.open("mixup", batch=16, dtype="uint8", steps=2000)
    go_through(feed)
    gc.collect()
    before = resident_bytes()
    for _ in range(10):
        go_through(feed)
    gc.collect()
    # 20,000 batches of 50 KB, and some 800 that were dropped in other ways: 1 % of them would be 10 MB.
    assert resident_bytes() - before < 10e6


def test_20_000_tensor_batches_leave_nothing_behind(connection):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from mixfeed.torch import FeedDataset
    dataset = FeedDataset(connection.open("mixup", batch=16, dtype="uint8", steps=20000))

    def run_to(end):
        while dataset.next_step < end:
            for batch in dataset:
                assert batch.images.shape[0] == 16
                if batch.step % 100 == 99:
                    break  # an abandoned loop

    run_to(2000)
    gc.collect()
    before = resident_bytes()
    run_to(20000)
    gc.collect()
    assert resident_bytes() - before < 10e6


def test_a_forked_worker_of_a_used_feed_says_so_and_the_parent_goes_on(connection):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from torch.utils.data import DataLoader
    from mixfeed.torch import FeedDataset
    feed = connection.open("mixup", batch=8, steps=6)
    iterator = iter(feed)
    assert next(iterator).step == 0
    loader = DataLoader(FeedDataset(feed), batch_size=None, num_workers=2, multiprocessing_context="fork")
    with pytest.raises(mixfeed.ForkedProcess, match="forked from one that was connected") as raised:
        list(loader)
    assert raised.value.hint == mixfeed.ForkedProcess.default_hint
    assert [batch.step for batch in iterator] == [1, 2, 3, 4, 5]
