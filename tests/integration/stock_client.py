"""Runs the README's example of a stock Python client, stubs and all, and checks the batch that it gets.

    stock_client.py CHECKOUT HOST:PORT        (needs protoc, grpc_python_plugin and grpcio)
"""
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np

checkout, address = pathlib.Path(sys.argv[1]), sys.argv[2]
readme = (checkout / "README.md").read_text()


def block(pattern):
    (found,) = re.findall(f"^```{pattern}^```$", readme, re.MULTILINE | re.DOTALL)
    return found


def replaced(text, old, new):
    assert old in text, (old, text)
    return text.replace(old, new)


with tempfile.TemporaryDirectory() as stubs:
    make_stubs = replaced(block(r"\n(mkdir -p build/py\n.*?)"), "build/py", stubs)
    subprocess.run(["bash", "-ec", make_stubs], cwd=checkout, check=True)
    sys.path.insert(0, stubs)
    example = {}
    exec(replaced(block(r"python\n(import grpc.*?)"), "127.0.0.1:50051", address), example)

header, images, targets = example["batch"].header, example["images"], example["targets"]
assert header.step == 3 and header.rows == 8, header
assert -1 <= images.min() < images.max() <= 1, (images.min(), images.max())
assert np.allclose(targets.sum(1), 1, atol=1e-6), targets.sum(1)
mixing = getattr(header, "lambda")  # a keyword in Python
for row, target in enumerate(targets):  # mixup mixes two labels at most, by the row's lambda
    weights = sorted(target[target > 0], reverse=True)
    assert np.allclose(weights, [1]) or np.allclose(weights, sorted([mixing[row], 1 - mixing[row]], reverse=True),
                                                    atol=1e-6), (row, target)
print(f"step {header.step}: {images.shape} {images.dtype}, targets {targets.shape}")
