"""What a batch is: compared with what stock gRPC stubs receive, and with the CLI's digests."""
import ctypes
import gc
import json

import mixfeed
import numpy as np
import pytest

from conftest import run_cli


def check(batch, expected, dtype):
    rows = int(expected["rows"])
    assert batch.images.dtype == dtype and batch.images.shape == (rows, 3, 32, 32)
    assert batch.images.tobytes() == expected["pixels"].tobytes()
    assert batch.targets.dtype == np.float32
    assert np.array_equal(batch.targets, expected["targets"].reshape(rows, -1))
    for name, theirs in [("row", "row"), ("sample_ids", "sample"), ("pool", "pool"), ("view", "view"),
                         ("partner", "partner"), ("lam", "lam")]:
        ours = getattr(batch, name)
        assert ours.dtype == (np.float32 if name == "lam" else np.int32), name
        assert np.array_equal(ours, expected[theirs]), name
    for name in ("rows", "classes", "lambda_u", "layer", "feed_id", "run"):
        assert getattr(batch, name) == expected[name], name


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
def test_mixup_batch_is_what_stock_stubs_receive(connection, stock_batch, dtype):
    feed = connection.open("mixup", batch=16, seed=3, run="stock", dtype=dtype)
    expected = stock_batch({"recipe": {"preset": "mixup"}, "batch": 16, "seed": 3}, "stock", 5, {"type": dtype.upper()})
    batch = feed[5]
    check(batch, expected, dtype)
    assert batch.step == 5 and batch.n_labelled == 16
    assert batch.guess_version is None and batch.confidence is None and batch.box is None


def test_mixmatch_batch_is_what_stock_stubs_receive(connection, stock_batch):
    feed = connection.open("mixmatch", labels=50, batch=8, seed=1, split_seed=2, policy="newest", run="guessed",
                           set={"recipe.weight.ramp_length": 10})
    batch = feed[4]
    expected = stock_batch(feed.info.spec, "guessed", 4)
    check(batch, expected, "float32")
    assert batch.rows == 24 and batch.n_labelled == 8 and batch.lambda_u > 0
    assert np.allclose(batch.targets.sum(1), 1, atol=1e-6)
    assert batch.guess_version == expected["version"] == 0 and batch.guess_model == "small"
    assert batch.confidence == pytest.approx(float(expected["confidence"]))
    assert list(batch.pool) == [mixfeed.Pool.LABELLED] * 8 + [mixfeed.Pool.UNLABELLED] * 16


def test_boxes_pairs_and_layout(connection, stock_batch):
    feed = connection.open("cutmix", batch=4, run="boxes", layout="nhwc", targets="pairs", normalise="unit")
    expected = stock_batch({"recipe": {"preset": "cutmix"}, "batch": 4}, "boxes", 2,
                           {"layout": "NHWC", "targets": "PAIRS", "normalisation": {"name": "unit"}})
    batch = feed[2]
    assert batch.images.shape == (4, 32, 32, 3)
    assert batch.images.tobytes() == expected["pixels"].tobytes()
    assert np.array_equal(batch.targets, expected["targets"].reshape(4, 3))
    assert np.array_equal(batch.box.ravel(), expected["box"])


def test_several_partners(connection):
    batch = connection.open("mixup/multiway", batch=4)[0]
    assert batch.more_partner.shape == batch.more_weight.shape and batch.more_partner.shape[1] == 4
    assert batch.more_partner.shape[0] >= 1


def test_digests_are_those_of_the_cli(connection, server):
    lines = run_cli("pull", "--server", server.address, "--recipe", "mixmatch", "--labels", 50, "--batch", 8, "--run",
                    "digests", "--steps", 3, "--json")
    feed = connection.open("mixmatch", labels=50, batch=8, run="digests", policy="newest", steps=3)
    assert [batch.digest() for batch in feed] == [json.loads(line)["digest"] for line in lines.splitlines()]


def test_arrays_are_views_of_aligned_writable_memory(connection):
    batch = connection.open("mixup", batch=8)[0]
    images = batch.images
    assert images.ctypes.data % 64 == 0 and batch.targets.ctypes.data % 64 == 0
    images[0, 0, 0, 0] = 7
    assert batch.images[0, 0, 0, 0] == 7  # the same memory
    assert np.from_dlpack(images).ctypes.data == images.ctypes.data
    assert not images.flags.owndata


def test_arrays_outlive_their_batch(connection):
    feed = connection.open("mixup", batch=8, seed=9)
    batch = feed[0]
    images, lam = batch.images, batch.lam
    before = images.copy(), lam.copy()
    batch.release()
    del batch
    gc.collect()
    others = [feed[step] for step in range(1, 8)]  # would be written over the memory, were it free
    assert np.array_equal(images, before[0]) and np.array_equal(lam, before[1])
    assert all(other.images.ctypes.data != images.ctypes.data for other in others)


def test_a_released_batch_is_refused(connection):
    with connection.open("mixup", batch=8)[0] as batch:
        assert not batch.released
    assert batch.released and "released" in repr(batch)
    for name in ("images", "targets", "step", "lam", "n_labelled", "guess_version"):
        with pytest.raises(mixfeed.BatchReleased):
            getattr(batch, name)
    with pytest.raises(ValueError, match="released"):
        batch.digest()
    batch.release()


def test_memory_is_used_again(connection):
    feed = connection.open("mixup", batch=64, steps=200)
    addresses = set()
    for batch in feed:
        addresses.add(batch.images.ctypes.data)
    # In use at once: the loop's batch, three read ahead and one being copied; the pool keeps four.
    assert len(addresses) <= 8, addresses


def test_bfloat16_is_for_dlpack_alone(connection):
    floats = connection.open("mixup", batch=8, run="narrow")[3].images
    narrow = connection.open("mixup", batch=8, run="narrow", dtype="bfloat16")[3].images
    assert narrow.shape == (8, 3, 32, 32) and narrow.dtype == "bfloat16"
    assert narrow.__dlpack_device__() == (1, 0)
    with pytest.raises(TypeError, match="NumPy has no bfloat16"):
        np.asarray(narrow)

    class Tensor(ctypes.Structure):  # the head of dlpack.h's DLManagedTensor
        _fields_ = [("data", ctypes.c_void_p), ("device", ctypes.c_int32 * 2), ("ndim", ctypes.c_int32),
                    ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16),
                    ("shape", ctypes.POINTER(ctypes.c_int64))]

    capsule = narrow.__dlpack__(stream=None)
    read = ctypes.pythonapi.PyCapsule_GetPointer
    read.restype, read.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    tensor = Tensor.from_address(read(capsule, b"dltensor"))
    assert (tensor.code, tensor.bits, tensor.lanes) == (4, 16, 1)
    assert tensor.shape[:tensor.ndim] == [8, 3, 32, 32]
    words = np.ctypeslib.as_array((ctypes.c_uint16 * floats.size).from_address(tensor.data))
    widened = (words.astype(np.uint32) << 16).view(np.float32)
    assert np.abs(widened - floats.ravel()).max() <= 2.0**-8
