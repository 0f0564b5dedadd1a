"""Real servers for the tests of the Python package, and the stock gRPC stubs to compare it with.

MIXFEED_BIN: the folder with mixfeed and mixfeed-server; by default build/release/bin of this checkout.
"""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

CHECKOUT = pathlib.Path(__file__).resolve().parents[3]
BIN = pathlib.Path(os.environ.get("MIXFEED_BIN", CHECKOUT / "build/release/bin"))
TRAIN_IMAGES, TEST_IMAGES = 500, 100


def wait_until(condition, seconds=60):
    """The first true value of condition(); fails the test when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return value


@contextlib.contextmanager
def importable(folder):
    """Within it, the modules in `folder` can be imported."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


@contextlib.contextmanager
def running(command, **arguments):
    """A process with pipes, which does not outlive the block: what is still running then gets Ctrl-C, so that it ends
    what it started itself."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **arguments,
                               # What runs in a shell's background inherits that it ignores Ctrl-C.
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.communicate(timeout=30)
                except subprocess.TimeoutExpired:
                    process.kill()


def servers_in(folder):
    """The process ids of the servers that keep something in `folder`."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            program, *arguments = os.fsdecode((process / "cmdline").read_bytes()).split("\0")
            if program.endswith("mixfeed-server") and any(word.startswith(f"{folder}/") for word in arguments):
                found.append(int(process.name))
    return found


def class_colours():
    """[10, 3]: colours 0..255 that lie on a sphere, so that a linear classifier tells them apart."""
    z = np.linspace(-0.9, 0.9, 10)
    angle, radius = np.arange(10) * 2.4, np.sqrt(1 - z**2)
    return 128 + 100 * np.stack([radius * np.cos(angle), radius * np.sin(angle), z], 1)


def write_cifar(folder, coloured):
    """Random images in CIFAR-10's binary form, classes in turn; with coloured=True noise around the class's colour."""
    folder.mkdir()
    rng = np.random.RandomState(0)
    for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        records = rng.randint(0, 256, (100, 3073)).astype(np.uint8)
        records[:, 0] = np.arange(100) % 10
        if coloured:
            noise = rng.randint(-20, 21, (100, 3, 1024))
            records[:, 1:] = (class_colours()[records[:, 0]][:, :, None] + noise).reshape(100, -1)
        records.tofile(folder / f"{name}.bin")


class Server:
    """A mixfeed-server process on a free port; restart() ends it by SIGKILL and starts it at the same address."""

    def __init__(self, work, coloured=False):
        self.work = work
        self.address = "127.0.0.1:0"
        write_cifar(work / "cifar", coloured)
        self.start()

    def start(self):
        out, log = self.work / "out", self.work / "log"
        with open(out, "wb") as stdout, open(log, "ab") as stderr:
            self.process = subprocess.Popen(
                [BIN / "mixfeed-server", "--listen", self.address, "--data", f"cifar={self.work / 'cifar'}",
                 "--state-dir", self.work / "state", "--model", "small=resnet-small", "--threads", "2"],
                stdout=stdout, stderr=stderr)
        ready = wait_until(lambda: "listening" in out.read_text() or self.process.poll() is not None)
        assert ready and self.process.poll() is None, log.read_text()
        self.address = out.read_text().splitlines()[0].rpartition(" ")[2]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def restart(self):
        self.kill()
        self.start()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    started = Server(tmp_path_factory.mktemp("server"))
    yield started
    started.kill()


@pytest.fixture(scope="module")
def module_server(tmp_path_factory):
    """A server without the feeds and models of other modules' tests. Such a module's own `server` is this."""
    started = Server(tmp_path_factory.mktemp("server"))
    yield started
    started.kill()


@pytest.fixture
def own_server(tmp_path):
    """A server that the test may kill."""
    started = Server(tmp_path)
    yield started
    started.kill()


@pytest.fixture
def connection(server):
    import mixfeed
    with mixfeed.connect(server.address) as made:
        yield made


@pytest.fixture(scope="session")
def stubs(tmp_path_factory):
    """The stock client of the README: modules that protoc generates, which share nothing with the package."""
    folder = tmp_path_factory.mktemp("stubs")
    plugin = subprocess.run(["which", "grpc_python_plugin"], capture_output=True, text=True, check=True).stdout.strip()
    protos = sorted((CHECKOUT / "proto/mixfeed/v1").glob("*.proto"))
    subprocess.run(["protoc", f"-I{CHECKOUT / 'proto'}", f"--python_out={folder}", f"--grpc_out={folder}",
                    f"--plugin=protoc-gen-grpc={plugin}", *protos], check=True)
    # Loaded by another Python, which does not have the package.
    return folder


@pytest.fixture
def stock_batch(stubs, server):
    """stock_batch(spec JSON, run, step, format JSON): what grpcio and protobuf receive, as a dict of arrays."""
    script = r"""
import sys, json, grpc, numpy as np
sys.path.insert(0, sys.argv[1])
from google.protobuf import json_format
from mixfeed.v1 import feed_pb2, feed_pb2_grpc, spec_pb2
address, spec, run, step, pixels, out = sys.argv[2:]
feeds = feed_pb2_grpc.FeedServiceStub(grpc.insecure_channel(address))
feed = feeds.OpenFeed(feed_pb2.OpenFeedRequest(spec=json_format.Parse(spec, spec_pb2.FeedSpec()), run=run))
batch = feeds.GetBatch(feed_pb2.GetBatchRequest(feed_id=feed.feed_id, step=int(step),
                                                format=json_format.Parse(pixels, feed_pb2.PixelFormat())))
h = batch.header
np.savez(out, pixels=np.frombuffer(batch.pixels, "u1"), targets=np.frombuffer(batch.targets, "<f4"), rows=h.rows,
         classes=h.classes, row=h.row, sample=h.sample, pool=h.pool, view=h.view, partner=h.partner,
         lam=getattr(h, "lambda"), box=h.box, lambda_u=h.unlabelled_weight, layer=h.layer, feed_id=h.feed_id, run=h.run,
         version=h.guess.version if h.HasField("guess") else -1, confidence=h.guess.confidence)
"""

    def get(spec, run, step, pixels=None):
        out = stubs / "batch.npz"
        subprocess.run(["/usr/bin/python3", "-c", script, stubs, server.address, json.dumps(spec), run, str(step),
                        json.dumps(pixels or {}), out], check=True)
        return dict(np.load(out))

    return get


def run_cli(*arguments):
    return subprocess.run([BIN / "mixfeed", *map(str, arguments)], capture_output=True, text=True, check=True).stdout
