"""The supervisor of workers in a process of its own, over small workers that a test writes."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from http_calls import until

PARENT = """
import logging, sys
from pathlib import Path
from serving import workers
logging.basicConfig(level=logging.INFO)
workers.SILENT_S, workers.START_S, workers.PAUSES_S, workers.GRACE_S = 1.0, 20.0, (0.0, 0.1, 0.2), 3.0
with workers._listening("127.0.0.1", 0) as listener, workers._folder() as folder:
    print(listener.getsockname()[1], folder, flush=True)
    raise SystemExit(workers.Workers([sys.executable, "-c", Path(sys.argv[1]).read_text()], listener, 2, folder).run())
"""


class Parent:
    """A supervisor in a process of its own, over workers that run *code*."""

    def __init__(self, code: str, folder: Path) -> None:
        (folder / "worker.py").write_text(code)
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PARENT, str(folder / "worker.py")], stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self.process.stdout is not None
        port, metrics = self.process.stdout.readline().split()
        self.port, self.metrics = int(port), Path(metrics)

    def ask(self, seconds: float = 0.0) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        connection.sendall(f"{seconds}\n".encode())
        return connection

    def pid(self) -> int:
        """Who answers now."""
        with self.ask() as connection:
            return int(connection.recv(20))

    @property
    def alive(self) -> set[int]:
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return set(map(int, text.split()))


@contextmanager
def supervised(code: str, folder: Path) -> Iterator[Parent]:
    """A supervisor whose two workers run *code* and have begun."""
    one = Parent(code, folder)
    until(lambda: len(list(one.metrics.glob("counter_*"))) == 2)
    yield one
    one.process.kill()
    one.process.wait()
