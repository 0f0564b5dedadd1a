"""What benches of several processes share: a server of their own, processes that answer lines of JSON, cores, processor
time, aims. Needs the standard library alone, since peers run in environments without mixfeed."""
from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("MIXFEED_BIN", CHECKOUT / "build/release/bin"))
QUIET = 0.05  # of the machine: what others may use beside a measurement

_TICK = 1 / os.sysconf("SC_CLK_TCK")


class Server(NamedTuple):
    address: str
    pid: int


@contextlib.contextmanager
def running_server(folder: pathlib.Path, *options: str, data: str = "generated") -> Iterator[Server]:
    """A server of the bench's own on a free port, whose log is shown when something fails. data, options: its flags."""
    with tempfile.TemporaryDirectory(prefix="mixfeed-bench-") as work:
        log = pathlib.Path(work, "log")
        with open(log, "wb") as stderr:
            command = [folder / "mixfeed-server", "--listen", "127.0.0.1:0", "--data", data, "--state-dir",
                       pathlib.Path(work, "state"), *options]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
        assert process.stdout is not None
        try:
            address = process.stdout.readline().rpartition(" ")[2].strip()
            if not address:
                raise RuntimeError("the server did not start")
            yield Server(address, process.pid)
        except Exception:
            print(log.read_text(), file=sys.stderr)
            raise
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()


@contextlib.contextmanager
def on_cores(cores: Sequence[int]) -> Iterator[None]:
    """Processes that are started within run on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def move(pid: int, cores: Sequence[int]) -> None:
    """All threads of a process to these cores; those that it starts later follow."""
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
            os.sched_setaffinity(int(task), cores)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the program's name, which may have spaces: [0] is the state."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def cpu_seconds(pid: int, children: bool = False) -> float:
    """User and system time of all threads of a process; children: and of those of its children that have ended."""
    fields = _stat(pid)
    return sum(map(int, fields[11:15 if children else 13])) * _TICK


class Bystanders:
    """How busy the machine is with what this process and its descendants did not do."""

    def __init__(self) -> None:
        self._begin = self._seconds()

    def share(self) -> float:
        """0..1: of the processor time that the machine had since then."""
        busy, had, own = (now - before for now, before in zip(self._seconds(), self._begin))
        return max(0.0, busy - own) / max(had, _TICK)

    @staticmethod
    def _seconds() -> tuple[float, float, float]:
        """Of the machine: busy, and in all; of this process's tree."""
        with open("/proc/stat") as file:
            user, nice, system, idle, waiting, *others = (int(word) * _TICK for word in file.readline().split()[1:9])
        busy = user + nice + system + sum(others)
        parents = {}
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                parents[int(name)] = int(_stat(int(name))[1])
        own, tree = 0.0, [os.getpid()]
        for pid in tree:
            with contextlib.suppress(OSError):
                own += cpu_seconds(pid, children=True)
            tree += [child for child, parent in parents.items() if parent == pid]
        return busy, busy + idle + waiting, own


def machine(others: float) -> str:
    """Of the report's first line: whether figures may be quoted. others: Bystanders.share()."""
    verdict = "quiet" if others <= QUIET else "BUSY: these figures say little, measure again on a quiet machine"
    return f"other processes used {others:.0%} of the machine meanwhile ({verdict})"


class Aim(NamedTuple):
    """A figure that is to be at most, or with `least` at least, some value."""

    what: str
    value: float
    aim: float
    least: bool = False

    @property
    def reached(self) -> bool:
        return self.value >= self.aim if self.least else self.value <= self.aim

    def __str__(self) -> str:
        return (f"{self.value:.3f} of {self.what} (aim: {self.aim} or {'more' if self.least else 'less'}: "
                f"{'reached' if self.reached else 'MISSED'})")

    def json(self) -> dict[str, Any]:
        return {**self._asdict(), "reached": self.reached}


class Missing(Exception):
    """A peer that cannot run here; the message says why."""


class Asked:
    """A process that answers lines of JSON (see answer_lines). greeting: the first, which it sends when it is ready.

    Raises Missing where it says that something is not installed, or ends before it is ready. Use it in a `with`."""

    def __init__(self, *command: object) -> None:
        self._errors = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=self._errors, text=True)
        try:
            line = self._receive()
            if line is None:
                raise Missing(self._said().rpartition("\n")[2] or "it ended at once")
            self.greeting: dict[str, Any] = line
            if "missing" in line:
                raise Missing(line["missing"])
        except BaseException:
            self._stop()
            raise

    def ask(self, **question: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        print(json.dumps(question), file=self._process.stdin, flush=True)
        answer = self._receive()
        if answer is None:
            raise RuntimeError(f"a process ended instead of answering:\n{self._said()}")
        return answer

    def _said(self) -> str:
        self._errors.seek(0)
        return self._errors.read().rstrip()

    def _receive(self) -> dict[str, Any] | None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):  # libraries print too
                answer: dict[str, Any] = json.loads(line)
                return answer
        return None

    def _stop(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()  # which ends it
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def __enter__(self) -> Asked:
        return self

    def __exit__(self, *error: object) -> None:
        self._stop()


def answer_lines(greeting: dict[str, Any], answer: Callable[..., dict[str, Any]]) -> None:
    """The other side of Asked: answer(**question) to each line, until there are no more."""
    print(json.dumps(greeting), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(**json.loads(line))), flush=True)
