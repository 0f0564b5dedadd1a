"""The examples of the READMEs run as they stand there."""
import contextlib
import os
import re
import subprocess
import sys

import pytest

from conftest import CHECKOUT, running


@pytest.fixture(scope="module")
def server(module_server):
    """The examples register models, which others must then be told from."""
    return module_server


def blocks(readme, address):
    """Its Python examples but for the one of the stock client."""
    found = re.findall(r"^```python\n(.*?)^```$", (CHECKOUT / readme).read_text(), re.MULTILINE | re.DOTALL)
    return [block.replace("127.0.0.1:50051", address) for block in found if "import grpc" not in block]


def test_the_first_example(server, capsys):
    exec(blocks("README.md", server.address)[0], {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[4].startswith("4 (192, 3, 32, 32) (192, 10) 64 ") and len(lines) == 5


def test_the_page_s_examples(server, tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    monkeypatch.setenv("MIXFEED_SERVER", server.address)
    batches, net, trainer, _, guesses, looking, branching = blocks("client/python/README.md", server.address)
    names = {}
    exec(batches, names)
    assert "(64, 3, 32, 32) float32" in capsys.readouterr().out
    # TorchScript reads the class's source, which therefore lies in a file.
    (tmp_path / "net.py").write_text(net)
    monkeypatch.syspath_prepend(tmp_path)
    import net as module
    names = dict(vars(module))
    exec(trainer, names)
    assert names["state"] == {"run": "first", "spec": names["feed"].spec_digest, "next_step": 20,
                              "feed_id": names["feed"].info.feed_id}
    assert names["pusher"].version == 20
    exec(guesses, names)
    assert names["batch"].targets.shape == (48, 10) and names["batch"].step == 3
    names["mixfeed"].torch.register(names["model"], "mine", names["connection"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "build").mkdir()
    exec(looking, {"mixfeed": names["mixfeed"]})
    assert "what it does" in capsys.readouterr().out
    exec(branching, {"mixfeed": names["mixfeed"]})
    assert capsys.readouterr().out.endswith("\nTrue 2\n1\n")
    assert {path.name for path in (tmp_path / "build").glob("*.png")} == {"peek.png", "lambda.png"}
    names["train_step"] = lambda model, batch: model(batch.images).sum()
    (readme,) = [block for block in blocks("README.md", server.address) if "push_weights" in block]
    exec(readme, names)
    assert names["dataset"].next_step == 3


def test_two_processes_train_in_parallel(server, tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    _, net, _, parallel, *_ = blocks("client/python/README.md", server.address)
    (tmp_path / "net.py").write_text(net)
    (tmp_path / "train.py").write_text(parallel)
    # What torchrun does; that of Debian's PyTorch 1.13 does not start on Python 3.11.
    store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    agent = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "WORLD_SIZE": "2",
             "TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "0", "OMP_NUM_THREADS": "1"}
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(running([sys.executable, tmp_path / "train.py"],
                                                 env={**os.environ, **agent, "RANK": str(rank)})) for rank in range(2)]
        outputs = [process.communicate(timeout=300) for process in processes]
    assert [out.splitlines() for out, _ in outputs] == [
        [f"rank {rank} step {step} guessed by version {step // 2}" for step in range(rank, 8, 2)]
        for rank in range(2)], outputs


def test_generated_stubs_live_beside_the_package(stubs, server):
    script = """
import sys, mixfeed, grpc
from mixfeed.v1 import inspect_pb2, inspect_pb2_grpc
stub = inspect_pb2_grpc.InspectServiceStub(grpc.insecure_channel(sys.argv[1]))
theirs = stub.GetServerInfo(inspect_pb2.GetServerInfoRequest())
assert theirs.version == mixfeed.connect(sys.argv[1]).info()["version"]
"""
    subprocess.run([sys.executable, "-c", script, server.address], check=True, env={"PYTHONPATH": str(stubs)})
