"""mixfeed.torch's losses, accuracy and interleaving, against NumPy and formulas by hand."""
import types

import mixfeed
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
import mixfeed.torch  # noqa: E402

LABELLED, UNLABELLED = mixfeed.Pool.LABELLED, mixfeed.Pool.UNLABELLED


def a_batch(rows, classes, labelled, lambda_u=7.5, seed=0):
    rng = np.random.RandomState(seed)
    return types.SimpleNamespace(targets=rng.dirichlet(np.ones(classes), rows).astype(np.float32), lambda_u=lambda_u,
                                 pool=np.where(np.arange(rows) < labelled, LABELLED, UNLABELLED).astype(np.int32))


def some_logits(rows, classes, seed=1, dtype=torch.float64):
    return torch.tensor(np.random.RandomState(seed).randn(rows, classes) * 3, dtype=dtype, requires_grad=True)


def softmax(logits):
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)


def mixmatch_by_hand(logits, targets, labelled, lambda_u):
    """(labelled, unlabelled, gradient of the total) in float64; `labelled` is a mask."""
    p, targets = softmax(logits), targets.astype(np.float64)
    n, m = labelled.sum(), (~labelled).sum() * logits.shape[1]
    entropy = -(targets * np.log(p))[labelled].sum() / max(n, 1)
    square = ((p - targets)[~labelled] ** 2).sum() / max(m, 1)
    of_entropy = (p * targets.sum(1, keepdims=True) - targets) / max(n, 1)
    error = 2 * (p - targets) / max(m, 1)
    of_square = p * (error - (error * p).sum(1, keepdims=True))
    return entropy, square, np.where(labelled[:, None], of_entropy, lambda_u * of_square)


@pytest.mark.parametrize("rows, classes, labelled", [(24, 10, 8), (9, 3, 2), (5, 4, 5), (5, 4, 0), (1, 1, 1)])
def test_mixmatch_loss_and_its_gradient_are_the_formula_s(rows, classes, labelled):
    batch, logits = a_batch(rows, classes, labelled), some_logits(rows, classes)
    loss = mixfeed.torch.mixmatch_loss(logits, batch)
    loss.total.backward()
    entropy, square, gradient = mixmatch_by_hand(logits.detach().numpy(), batch.targets, batch.pool == LABELLED, 7.5)
    total, on_labelled, on_unlabelled = loss
    assert on_labelled.item() == pytest.approx(entropy, abs=1e-12)
    assert on_unlabelled.item() == pytest.approx(square, abs=1e-12)
    assert total.item() == pytest.approx(entropy + 7.5 * square, abs=1e-12)
    assert np.allclose(logits.grad.numpy(), gradient, atol=1e-12)


def test_mixmatch_loss_finds_labelled_rows_that_are_interleaved():
    batch, logits = a_batch(12, 5, 4), some_logits(12, 5)
    order = np.random.RandomState(3).permutation(12)
    mixed = types.SimpleNamespace(targets=batch.targets[order], pool=batch.pool[order], lambda_u=batch.lambda_u)
    plain = mixfeed.torch.mixmatch_loss(logits, batch)
    again = mixfeed.torch.mixmatch_loss(logits[torch.from_numpy(order)], mixed)
    for part, same in zip(again, plain):
        assert part.item() == pytest.approx(same.item(), abs=1e-12)


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-5), (torch.float16, 1e-2), (torch.bfloat16, 5e-2)])
def test_narrow_logits_are_computed_in_float32(dtype, tolerance):
    batch, logits = a_batch(24, 10, 8), some_logits(24, 10, dtype=dtype)
    loss = mixfeed.torch.mixmatch_loss(logits, batch)
    assert {part.dtype for part in loss} == {torch.float32}
    entropy, square, _ = mixmatch_by_hand(logits.detach().double().numpy(), batch.targets, batch.pool == LABELLED, 7.5)
    assert loss.total.item() == pytest.approx(entropy + 7.5 * square, rel=1e-5)
    loss.total.backward()
    _, _, gradient = mixmatch_by_hand(logits.detach().double().numpy(), batch.targets, batch.pool == LABELLED, 7.5)
    assert logits.grad.dtype == dtype and np.allclose(logits.grad.double().numpy(), gradient, atol=tolerance)


def test_large_logits_stay_finite():
    logits = torch.tensor([[1e4, -1e4, 0.0]] * 4, requires_grad=True)
    loss = mixfeed.torch.mixmatch_loss(logits, a_batch(4, 3, 2))
    loss.total.backward()
    assert torch.isfinite(loss.total) and torch.isfinite(logits.grad).all()


def test_tensors_and_arrays_of_a_feed_have_the_same_loss(connection):
    feed = connection.open("mixmatch", labels=50, batch=8, policy="newest", set={"recipe.weight.ramp_length": 10})
    batch, logits = feed[4], some_logits(24, 10)
    of_arrays = mixfeed.torch.mixmatch_loss(logits, batch)
    of_tensors = mixfeed.torch.mixmatch_loss(logits, mixfeed.torch.to_tensors(batch))
    entropy, square, _ = mixmatch_by_hand(logits.detach().numpy(), batch.targets, np.arange(24) < 8, batch.lambda_u)
    assert batch.lambda_u > 0
    for loss in (of_arrays, of_tensors):
        assert loss.total.item() == pytest.approx(entropy + batch.lambda_u * square, abs=1e-9)


def pairs_batch(rows, classes, seed=2):
    rng = np.random.RandomState(seed)
    y_a, y_b, lam = rng.randint(0, classes, rows), rng.randint(0, classes, rows), rng.rand(rows)
    y_b[0] = y_a[0]
    pairs = np.stack([y_a, y_b, lam], 1).astype(np.float32)
    one_hot = np.eye(classes, dtype=np.float32)
    soft = pairs[:, 2:] * one_hot[y_a] + (1 - pairs[:, 2:]) * one_hot[y_b]
    return types.SimpleNamespace(targets=pairs), types.SimpleNamespace(targets=soft)


def test_mixup_loss_and_its_gradient_are_the_formula_s():
    rows, classes = 16, 10
    pairs, soft = pairs_batch(rows, classes)
    logits = some_logits(rows, classes)
    log_p = np.log(softmax(logits.detach().numpy()))
    lam = pairs.targets[:, 2].astype(np.float64)
    y_a, y_b = pairs.targets[:, :2].astype(int).T
    row = np.arange(rows)
    expected = -(lam * log_p[row, y_a] + (1 - lam) * log_p[row, y_b]).mean()
    gradient = softmax(logits.detach().numpy())
    gradient[row, y_a] -= lam
    gradient[row, y_b] -= 1 - lam
    for batch in (pairs, soft):
        logits.grad = None
        loss = mixfeed.torch.mixup_loss(logits, batch)
        loss.backward()
        assert loss.item() == pytest.approx(expected, abs=1e-6)
        assert np.allclose(logits.grad.numpy(), gradient / rows, atol=1e-7)


def test_mixup_accuracy_weighs_both_labels():
    pairs = types.SimpleNamespace(targets=np.array([[0, 1, 0.75], [0, 1, 0.75], [2, 2, 0.5], [0, 1, 0.25]], np.float32))
    soft = types.SimpleNamespace(targets=np.array([[0.75, 0.25, 0, 0], [0.75, 0.25, 0, 0], [0, 0, 1, 0],
                                                   [0.25, 0.75, 0, 0]], np.float32))
    logits = torch.eye(4)[[0, 1, 2, 3]].requires_grad_()
    for batch in (pairs, soft):
        accuracy = mixfeed.torch.mixup_accuracy(logits, batch)
        assert accuracy.item() == pytest.approx((0.75 + 0.25 + 1 + 0) / 4) and not accuracy.requires_grad


def test_both_forms_of_a_feed_s_targets_have_the_same_loss(connection):
    soft = connection.open("mixup", batch=16, run="forms")
    logits = some_logits(16, 10)
    batches = [soft[3], soft.with_options(targets="pairs")[3]]
    assert batches[1].targets.shape == (16, 3)
    for function in (mixfeed.torch.mixup_loss, mixfeed.torch.mixup_accuracy):
        first, second = (function(logits, batch).item() for batch in batches)
        assert first == pytest.approx(second, abs=1e-6)


def test_the_form_must_be_said_of_three_classes():
    pairs, soft = pairs_batch(8, 3)
    logits = some_logits(8, 3)
    with pytest.raises(mixfeed.InvalidArgument, match="3 columns given for 3 classes"):
        mixfeed.torch.mixup_loss(logits, soft)
    assert mixfeed.torch.mixup_loss(logits, soft, targets="soft").item() == pytest.approx(
        mixfeed.torch.mixup_loss(logits, pairs, targets="pairs").item(), abs=1e-6)


def changed(**fields):
    return types.SimpleNamespace(**{**vars(a_batch(6, 4, 2)), **fields})


FUNCTIONS = {"mixmatch": mixfeed.torch.mixmatch_loss, "mixup": mixfeed.torch.mixup_loss,
             "accuracy": mixfeed.torch.mixup_accuracy}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("logits, batch, message", [
    (torch.zeros(6), changed(), r"logits: shape \(6,\) given, must be \[rows, classes\]"),
    (torch.zeros(6, 0), changed(), r"logits: shape \(6, 0\)"),
    (torch.zeros(6, 4, dtype=torch.int64), changed(), "logits: torch.int64 given, must be floating"),
    (torch.zeros(5, 4), changed(), r"targets: shape \(6, 4\) given, the logits have 5 rows"),
    (torch.zeros(6, 10), changed(), r"targets: shape \(6, 4\) given, must be \(6, 10\), as the logits' 10 classes"),
    (torch.zeros(6, 4), changed(targets=np.zeros((6, 4), np.int64)), "targets: torch.int64 given, must be floating"),
    (torch.zeros(6, 4), changed(targets=np.float32(1)), r"targets: shape \(\)"),
])
def test_what_does_not_fit_is_named(function, logits, batch, message):
    with pytest.raises(mixfeed.InvalidArgument, match=message):
        FUNCTIONS[function](logits, batch)


@pytest.mark.parametrize("batch, message", [
    (changed(targets=np.zeros((6, 3), np.float32)), r"targets: shape \(6, 3\) given, must be \(6, 4\)"),
    (changed(pool=np.ones(5, np.int32)), r"pool: shape \(5,\) given, the logits have 6 rows"),
    (changed(pool=np.ones((6, 1), np.int32)), r"pool: shape \(6, 1\) given, must be \(6,\)"),
    (changed(lambda_u=float("nan")), "lambda_u: nan given"),
    (changed(lambda_u=-1), "lambda_u: -1.0 given"),
])
def test_mixmatch_loss_names_what_is_wrong_with_a_batch(batch, message):
    with pytest.raises(mixfeed.InvalidArgument, match=message):
        mixfeed.torch.mixmatch_loss(torch.zeros(6, 4), batch)


@pytest.mark.parametrize("function", ["mixup", "accuracy"])
def test_labels_beyond_the_classes_are_refused(function):
    for label, shown in ((4, r"0\.\.4"), (-1, r"-1\.\.0")):
        targets = np.zeros((6, 3), np.float32)
        targets[2, 1] = label
        with pytest.raises(mixfeed.InvalidArgument, match=f"labels {shown} given, the logits have 4 classes"):
            FUNCTIONS[function](torch.zeros(6, 4), changed(targets=targets))
    with pytest.raises(mixfeed.InvalidArgument, match="must be 'soft' or 'pairs'"):
        FUNCTIONS[function](torch.zeros(6, 4), changed(), targets="hard")
    with pytest.raises(mixfeed.InvalidArgument, match=r"must be \(6, 3\), \(y_a, y_b, lambda\)"):
        FUNCTIONS[function](torch.zeros(6, 4), changed(), targets="pairs")


# Slices of the official code's interleave_offsets (reference: google-research/mixmatch, libml/layers.py), by hand.
OFFSETS = {(64, 3): [0, 21, 42, 64], (64, 2): [0, 32, 64], (7, 3): [0, 2, 4, 7], (8, 3): [0, 2, 5, 8],
           (2, 3): [0, 0, 1, 2], (1, 3): [0, 0, 0, 1], (5, 1): [0, 5], (10, 4): [0, 2, 4, 7, 10]}


@pytest.mark.parametrize("batch_size, groups", OFFSETS)
def test_interleave_swaps_the_official_slices(batch_size, groups):
    offsets = OFFSETS[batch_size, groups]
    before = np.arange(groups * batch_size * 2).reshape(groups, batch_size, 2)
    expected = before.copy()
    for k in range(1, groups):
        part = slice(offsets[k], offsets[k + 1])
        expected[0, part], expected[k, part] = before[k, part], before[0, part]
    rows = torch.from_numpy(before.reshape(-1, 2)).clone()
    swapped = mixfeed.torch.interleave(rows, batch_size)
    assert np.array_equal(swapped.numpy(), expected.reshape(-1, 2))
    assert torch.equal(mixfeed.torch.de_interleave(swapped, batch_size), rows)
    listed = mixfeed.torch.interleave(list(rows.split(batch_size)), batch_size)
    assert len(listed) == groups and torch.equal(torch.cat(listed), swapped)
    assert swapped.data_ptr() != rows.data_ptr()


def test_gradients_flow_through_interleaving():
    rows = torch.randn(9, 2, requires_grad=True)
    weights = torch.randn(9, 2)
    (mixfeed.torch.interleave(rows, 3) * weights).sum().backward()
    assert torch.equal(rows.grad, mixfeed.torch.de_interleave(weights, 3))


@pytest.mark.parametrize("batch", [7, 8])
def test_interleaving_is_the_server_s(connection, batch):
    def open_feed(interleaved):
        return connection.open("mixmatch", labels=50, batch=batch, policy="newest", model="small",
                               run=f"swapped-{batch}-{interleaved}", set={"recipe.interleave": interleaved})[0]

    plain, theirs = map(open_feed, (False, True))
    for name in ("images", "targets", "sample_ids", "pool", "view"):
        ours = mixfeed.torch.interleave(torch.from_numpy(getattr(plain, name)), batch)
        assert np.array_equal(ours.numpy(), getattr(theirs, name)), name
    logits = torch.randn(3 * batch, 10)
    swapped = mixfeed.torch.mixmatch_loss(mixfeed.torch.interleave(logits, batch), theirs)
    for part, same in zip(swapped, mixfeed.torch.mixmatch_loss(logits, plain)):
        assert part.item() == pytest.approx(same.item(), rel=1e-5)


@pytest.mark.parametrize("rows, batch_size, message", [
    (torch.zeros(10, 2), 3, r"rows: shape \(10, 2\) given, must have a multiple of 3 rows"),
    (torch.zeros(0, 2), 3, r"rows: shape \(0, 2\)"),
    (torch.tensor(1.0), 3, r"rows: shape \(\)"),
    (torch.zeros(4), 0, "batch_size: 0 given"),
    ([torch.zeros(3), torch.zeros(4)], 3, r"rows\[1\]: shape \(4,\) given, must be 3 rows"),
    ([torch.tensor(1.0)], 1, r"rows\[0\]: shape \(\)"),
    ([], 3, "rows: no tensors given"),
])
def test_what_cannot_be_interleaved_is_refused(rows, batch_size, message):
    with pytest.raises(mixfeed.InvalidArgument, match=message):
        mixfeed.torch.interleave(rows, batch_size)
