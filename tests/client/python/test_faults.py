"""Servers that are not what the client expects, networks that do not fit a feed, and what long use leaves behind."""
import contextlib
import gc
import os
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
    from mixfeed.torch import mixmatch_loss, register
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, 4), torch.nn.BatchNorm2d(4), torch.nn.Flatten(),
                              torch.nn.Linear(256, 7))
    register(net, "seven", connection, classes=7, image=(3, 32, 32))
    feed = connection.open("mixmatch", labels=50, batch=8, model="seven", policy="newest")
    with pytest.raises(mixfeed.Error, match="seven.*7|7.*seven") as raised:
        feed[0]
    assert "10" in raised.value.message
    with pytest.raises(mixfeed.InvalidArgument, match=r"targets: shape \(24, 10\) given, must be \(24, 7\)"):
        batch = connection.open("mixmatch", labels=50, batch=8, model="small", policy="newest")[0]
        mixmatch_loss(net(torch.from_numpy(batch.images)), batch)


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
    with pytest.raises(Exception, match="forked from one that was connected"):
        list(loader)
    assert [batch.step for batch in iterator] == [1, 2, 3, 4, 5]
