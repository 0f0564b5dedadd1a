"""Signals, threads, forks, and servers and iterators that go away."""
import gc
import os
import signal
import subprocess
import sys
import threading

import mixfeed
import numpy as np
import pytest

from conftest import running, wait_until

# A loop that waits for ever: nobody pushes the weights of update 1. To every line on stdin another thread answers with
# the function that the main thread is in.
WAITING = """
import sys, threading, mixfeed
main = threading.get_ident()
def answer():
    for line in sys.stdin:
        print(sys._current_frames()[main].f_code.co_name, flush=True)
feed = mixfeed.connect(sys.argv[1]).open("mixmatch", labels=50, batch=8)
iterator = iter(feed)
assert next(iterator).step == 0
try:
    threading.Thread(target=answer, daemon=True).start()
    {wait}
except KeyboardInterrupt:
    print("interrupted", iterator.next_step, flush=True)
"""


@pytest.mark.parametrize("wait, function", [("next(iterator)", "_fetch"), ("feed[1]", "__getitem__"),
                                            ("mixfeed.connect('127.0.0.1:9').info()", "_connected")])
def test_ctrl_c_ends_a_wait_in_which_other_threads_run(server, wait, function):
    command = [sys.executable, "-c", WAITING.format(wait=wait), server.address]
    with running(command, stdin=subprocess.PIPE) as process:

        def asked():
            process.stdin.write("where?\n")
            process.stdin.flush()
            return process.stdout.readline() == f"{function}\n"

        wait_until(asked)
        assert asked() and asked()  # threads get the interpreter while the main one waits
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert out == "interrupted 1\n" and process.returncode == 0, err


@pytest.mark.parametrize("of", ["feed", "dataset"])
def test_an_interrupted_iterator_loses_and_repeats_nothing(connection, of):
    interruptions = []
    batches = connection.open("mixup", batch=64)
    if of == "dataset":
        pytest.importorskip("torch", reason="PyTorch is not installed")
        import mixfeed.torch
        batches = mixfeed.torch.FeedDataset(batches)

    def interrupt(_, frame):
        if frame.f_code.co_name in ("__next__", "_fetch"):
            interruptions.append(1)
            raise InterruptedError("alarm")

    iterator = iter(batches)
    steps = []
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
    try:
        while len(steps) < 300 or not interruptions:
            try:
                steps.append(next(iterator).step)
            except InterruptedError:
                pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert steps == list(range(len(steps)))


def test_a_batch_that_an_interruption_dropped_is_asked_for_again(connection):
    iterator = iter(connection.open("mixup", batch=8, rank=1, world=2))
    assert next(iterator).step == 1
    assert iterator._stream.next().step == 3  # as if a handler had raised before it was counted
    assert [next(iterator).step for _ in range(3)] == [3, 5, 7]


def in_child(action):
    """What action() returns, as text, in a forked child."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            text = str(action())
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        os.write(write, text.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return text


FORKED = "ForkedProcess: this process was forked from one that was connected"


def test_a_connection_that_was_used_is_refused_in_a_child(connection, server):
    feed = connection.open("mixup", batch=8)
    iterator = iter(feed)
    batch = next(iterator)
    digest = batch.digest()
    views = feed.views(0)
    for use in (lambda: feed[1], lambda: feed.views(1), lambda: next(iterator), lambda: connection.info(), lambda: next(iter(feed)),
                lambda: mixfeed.connect(server.address).info()):
        assert in_child(use).startswith(FORKED)
        assert "spawn" in in_child(use)
    assert in_child(lambda: batch.digest()) == digest  # what was received is there
    assert in_child(lambda: views.mix(np.zeros((0, 10), np.float32)).digest()) == digest

    def forget():  # destructors must not wait for threads that are not there
        nonlocal feed, iterator, batch, views
        del feed, iterator, batch, views
        gc.collect()
        return "forgotten"

    assert in_child(forget) == "forgotten"
    assert next(iterator).step == 1  # and the parent goes on


def test_a_connection_that_was_not_used_works_in_children(server):
    script = """
import os, sys, mixfeed
feed = mixfeed.connect(sys.argv[1]).open("mixup", batch=8, seed=2, steps=3)
for child in range(2):
    if os.fork() == 0:
        print([b.digest() for b in feed], flush=True)
        os._exit(0)
    os.wait()
print([b.digest() for b in feed])
"""
    out = subprocess.run([sys.executable, "-c", script, server.address], check=True, capture_output=True, text=True).stdout
    assert len(out.splitlines()) == 3 and len(set(out.splitlines())) == 1


def consumers(connection):
    return int(connection.info()["consumers"])


def test_abandoned_iterators_leave_the_server(own_server):
    connection = mixfeed.connect(own_server.address)
    feed = connection.open("mixup", batch=8)

    def body():
        for batch in feed:
            raise ValueError(batch.step)

    for _ in range(20):
        with pytest.raises(ValueError):
            body()
        next(iter(feed))
    gc.collect()
    wait_until(lambda: consumers(connection) == 0)
    kept = iter(feed)
    next(kept)
    assert consumers(connection) == 1
    feed.close()
    wait_until(lambda: consumers(connection) == 0)
    assert list(kept) == []
    with feed as opened, opened.steps_from(3) as iterator:
        assert next(iterator).step == 3
    wait_until(lambda: consumers(connection) == 0)


def test_a_server_that_restarts_loses_and_repeats_nothing(own_server):
    feed = mixfeed.connect(own_server.address).open("mixmatch", labels=50, batch=8, policy="newest", run="long", steps=60)
    digests = []
    for batch in feed:
        digests.append((batch.step, batch.digest()))
        if batch.step in (10, 30):
            own_server.restart()
    assert [step for step, _ in digests] == list(range(60))
    assert digests == [(batch.step, batch.digest()) for batch in feed]  # from the journal


def test_a_server_that_stays_away_is_an_error_after_which_the_iterator_goes_on(own_server):
    feed = mixfeed.connect(own_server.address, wait=2).open("mixup", batch=8, run="away")
    iterator = iter(feed)
    assert next(iterator).step == 0
    own_server.kill()
    steps = []
    with pytest.raises(ConnectionError):
        while True:  # what had arrived before is still given
            steps.append(next(iterator).step)
    own_server.start()
    steps.append(next(iterator).step)
    assert steps == list(range(1, len(steps) + 1))


def test_a_server_that_comes_back_with_another_dataset_is_an_error(own_server):
    feed = mixfeed.connect(own_server.address).open("mixup", batch=8, run="changed")
    iterator = iter(feed)
    assert next(iterator).step == 0
    own_server.kill()
    path = own_server.work / "cifar" / "data_batch_1.bin"
    path.write_bytes(path.read_bytes()[3073:] + path.read_bytes()[:3073])
    own_server.start()
    with pytest.raises(mixfeed.FailedPrecondition, match="has dataset 'cifar' changed") as raised:
        for _ in iterator:
            pass
    assert "open() the feed anew" in raised.value.hint


def test_threads_may_share_an_iterator(connection):
    feed = connection.open("mixup", batch=8, steps=200)
    iterator, seen, lock = iter(feed), [], threading.Lock()

    def work():
        while True:
            with lock:
                batch = next(iterator, None)
            if batch is None:
                return
            seen.append(batch.step)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == list(range(200))


def test_closing_ends_another_thread_s_wait(connection):
    iterator = iter(connection.open("mixmatch", labels=50, batch=8))  # lockstep: step 1 waits for a push
    assert next(iterator).step == 0
    rest = []
    thread = threading.Thread(target=lambda: rest.append(list(iterator)))
    thread.start()
    wait_until(lambda: sys._current_frames()[thread.ident].f_code.co_name == "_fetch")
    iterator.close()
    thread.join(60)
    assert rest == [[]] and not thread.is_alive()
