"""A mixfeed-server of the bench's own, on a free port, or one that runs already."""
import contextlib
import pathlib
import signal
import subprocess
import tempfile

import mixfeed

from network import weights_file


@contextlib.contextmanager
def _interrupts_later():
    """SIGINT and SIGTERM take effect at the end: within Popen they would leave behind the process that it has started."""
    came = []
    handlers = {number: signal.signal(number, lambda number, frame: came.append(number))
                for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


class ServerAt:
    """A server that runs already. binaries: the folder with mixfeed. Use it in a `with`."""

    def __init__(self, binaries, address):
        self._binaries = pathlib.Path(binaries)
        self.address = address
        self.connection = mixfeed.connect(address, wait=600, deadline=3600)

    def register(self, name, network):
        """Makes `network`, a network.ResNetSmall, a guess model: the built-in network with its weights."""
        with tempfile.NamedTemporaryFile(prefix="mixfeed-weights-") as file:
            weights_file(network, file.name)
            subprocess.run([self._binaries / "mixfeed", "model", "register", name, "--kind", "resnet-small", "--file",
                            file.name, "--server", self.address], check=True, stdout=subprocess.DEVNULL)

    def split(self, labels, split_seed):
        """Indices of the labelled and of the unlabelled images, as `mixfeed split` writes them."""
        command = [self._binaries / "mixfeed", "split", "--labels", str(labels), "--split-seed", str(split_seed),
                   "--server", self.address]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        lists = {words[0]: [int(word) for word in words[1:]] for words in map(str.split, text.splitlines())}
        return lists["labelled"], lists["unlabelled"]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.connection.close()


class FeedServer(ServerAt):
    """binaries: the folder with mixfeed and mixfeed-server. threads: that guess. Use it in a `with`."""

    def __init__(self, binaries, data, threads):
        self._work = tempfile.TemporaryDirectory(prefix="mixfeed-accuracy-")
        log = pathlib.Path(self._work.name, "log")
        command = [pathlib.Path(binaries) / "mixfeed-server", "--listen", "127.0.0.1:0", "--data", f"cifar10={data}",
                   "--state-dir", pathlib.Path(self._work.name, "state"), "--threads", "1", "--guess-threads",
                   str(threads), "--idle-limit-ms", "3600000"]  # an evaluation may take long on a busy machine
        self._process = None
        try:
            with open(log, "wb") as stderr, _interrupts_later():
                # A session of its own: Ctrl-C reaches the runner alone, which then stops the server.
                self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True,
                                                 start_new_session=True)
            address = self._process.stdout.readline().rpartition(" ")[2].strip()
            if not address:
                self._process.wait()
                raise RuntimeError(f"mixfeed-server did not start:\n{log.read_text()}")
            super().__init__(binaries, address)
        except BaseException:  # Ctrl-C too
            self._stop()
            raise

    def __exit__(self, *error):
        super().__exit__(*error)
        self._stop()

    def _stop(self):
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process.stdout.close()
        self._work.cleanup()
