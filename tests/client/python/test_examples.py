"""client/python/examples run as they are, and learn; other frameworks take a batch's arrays through DLPack."""
import re
import subprocess
import sys

import numpy as np
import pytest

from conftest import CHECKOUT, Server, importable


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Of images that can be learnt."""
    started = Server(tmp_path_factory.mktemp("server"), coloured=True)
    yield started
    started.kill()


def run_example(name, server, *arguments):
    return subprocess.run([sys.executable, CHECKOUT / "client/python/examples" / name, "--server", server.address,
                           *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def assert_learns(output, steps):
    losses = [float(loss) for loss in re.findall(r"^step \d+ loss (\S+)$", output, re.MULTILINE)]
    assert re.findall(r"^step (\d+)", output, re.MULTILINE)[-1] == str(steps - 1)
    assert losses[-1] < losses[0] - 0.3, output
    assert float(re.search(r"^test accuracy (\S+)$", output, re.MULTILINE)[1]) > 0.5, output


def test_softmax_regression_in_numpy(server):
    output = run_example("numpy_softmax.py", server, "--steps", 150)
    assert_learns(output, 150)
    assert output == run_example("numpy_softmax.py", server, "--steps", 150)  # the same batches again


def test_its_gradient_is_that_of_its_loss():
    with importable(CHECKOUT / "client/python/examples"):
        import numpy_softmax
    rng = np.random.RandomState(0)
    images, targets = rng.randn(6, 3, 2, 2), rng.dirichlet(np.ones(4), 6)
    model = numpy_softmax.Linear(12, 4)
    model.weights = rng.randn(13, 4)
    model._velocity = np.zeros((13, 4))
    before = model.weights.copy()

    def loss(weights):
        model.weights = weights
        return -(targets * np.log(numpy_softmax.softmax(model.logits(images)))).sum(1).mean()

    numeric = np.zeros_like(before)
    for index in np.ndindex(*before.shape):
        moved = [before.copy(), before.copy()]
        moved[0][index] += 1e-5
        moved[1][index] -= 1e-5
        numeric[index] = (loss(moved[0]) - loss(moved[1])) / 2e-5
    model.weights = before.copy()
    model.step(images, targets, rate=0.5)
    assert np.allclose((before - model.weights) / 0.5, numeric, atol=1e-6)


def test_a_network_in_jax(server):
    pytest.importorskip("jax", reason="JAX is not installed")
    assert_learns(run_example("jax_mixup.py", server, "--steps", 150), 150)


def test_jax_takes_the_memory_as_it_is(connection):
    jnp = pytest.importorskip("jax.numpy", reason="JAX is not installed")
    feed = connection.open("mixup", batch=8, run="jax")
    batch = feed[1]
    images = jnp.from_dlpack(batch.images)
    assert images.unsafe_buffer_pointer() == batch.images.ctypes.data
    expected = batch.images.copy()
    batch.release()
    others = [feed[step] for step in range(2, 8)]  # would be written over the memory, were it free
    assert np.array_equal(images, expected) and len(others) == 6
    narrow = jnp.from_dlpack(feed.with_options(dtype="bfloat16")[1].images)
    assert narrow.dtype == jnp.bfloat16 and np.abs(np.asarray(narrow, np.float32) - expected).max() <= 2.0**-8
