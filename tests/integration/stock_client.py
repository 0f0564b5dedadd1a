"""Reads a batch with nothing but the .proto files, protoc's own Python output and grpcio.

    stock_client.py DIR_WITH_PROTOS HOST:PORT        (needs protoc and grpc_python_plugin)
"""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

protos, address = pathlib.Path(sys.argv[1]), sys.argv[2]
stubs = tempfile.TemporaryDirectory()
subprocess.run(["protoc", f"-I{protos}", f"--python_out={stubs.name}", f"--grpc_out={stubs.name}",
                "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin",
                *map(str, protos.glob("mixfeed/v1/*.proto"))], check=True)
sys.path.insert(0, stubs.name)

import grpc  # noqa: E402
from mixfeed.v1 import feed_pb2, feed_pb2_grpc, spec_pb2  # noqa: E402

feeds = feed_pb2_grpc.FeedServiceStub(grpc.insecure_channel(address))
spec = spec_pb2.FeedSpec(recipe=spec_pb2.Recipe(preset="mixup"), batch=8)
feed = feeds.OpenFeed(feed_pb2.OpenFeedRequest(spec=spec), timeout=30)
batch = feeds.GetBatch(feed_pb2.GetBatchRequest(feed_id=feed.feed_id, step=3), timeout=30)
header = batch.header
images = np.frombuffer(batch.pixels, "<f4").reshape(header.rows, 3, 32, 32)
targets = np.frombuffer(batch.targets, "<f4").reshape(header.rows, header.classes)

assert header.step == 3 and header.rows == 8, header
assert -1 <= images.min() < images.max() <= 1, (images.min(), images.max())
assert np.allclose(targets.sum(1), 1, atol=1e-6), targets.sum(1)
mixing = getattr(header, "lambda")  # a keyword in Python
for row, target in enumerate(targets):  # mixup mixes two labels at most, by the row's lambda
    weights = sorted(target[target > 0], reverse=True)
    assert np.allclose(weights, [1]) or np.allclose(weights, sorted([mixing[row], 1 - mixing[row]], reverse=True),
                                                    atol=1e-6), (row, target)
print(f"step {header.step}: {images.shape} {images.dtype}, targets {targets.shape}")
