"""Several servers behind one socket on one machine: `cuvee serve --workers N`.

The parent only listens and watches. Every worker is a server of its own that accepts from the parent's socket, so one
that dies takes no address with it, and one that hangs gets no new connections. A worker tells each second, from the
loop that answers requests, that it is alive; one that ends, or is silent too long, is replaced. On one pod of a cluster
there is one worker, and the cluster does what the parent does here.
"""

import asyncio
import contextlib
import logging
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import uvicorn

log = logging.getLogger(__name__)

BEAT_S = 1  # between two signs of life
SILENT_S = 3.0  # without a sign of life, ten times as long as a request may take: it hangs
START_S = 180.0  # until the first one: a start that is slow is no hang
LINGER_S = 0.5  # told to end, a worker still reads what clients had sent by then
GRACE_S = 15.0  # for what is in flight, once told to end
PAUSES_S = (0.0, 1.0, 2.0, 5.0, 10.0)  # before a worker that keeps ending early is started again
BACKLOG = 2048
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
SEEN_VARIABLE = "CUVEE_SEEN"  # serving.pointer: a worker that is replaced goes back to no older pointer either


def alone() -> dict[str, str]:
    """The environment for a server that counts for itself: Feast, once imported, names a folder in which all count."""
    return {name: value for name, value in os.environ.items() if name != METRICS_FOLDER}


class Worker:
    """One server in a process of its own, and when it last gave a sign of life."""

    def __init__(self, command: Sequence[str], listener: socket.socket, metrics: Path) -> None:
        self._beats, beat = os.pipe()
        os.set_blocking(self._beats, False)
        self.process = subprocess.Popen(
            [*command, "--socket", str(listener.fileno()), "--beat", str(beat)],
            pass_fds=(listener.fileno(), beat),
            env={SEEN_VARIABLE: str(metrics / "seen")} | os.environ | {METRICS_FOLDER: str(metrics)},
        )
        os.close(beat)
        self.last, self.began = time.monotonic(), False
        self.again: float | None = None  # once it has ended: when another may take its place
        self._metrics = metrics

    def look(self) -> None:
        """Take note of signs of life; kill it if there were none for too long."""
        with contextlib.suppress(BlockingIOError):
            if os.read(self._beats, 4096):
                self.last, self.began = time.monotonic(), True
        silent = time.monotonic() - self.last
        if silent > (SILENT_S if self.began else START_S) and self.process.poll() is None:
            log.error("worker %d gave no sign of life for %.0f s; it is replaced", self.process.pid, silent)
            self.process.kill()
            self.process.wait()

    def close(self) -> None:
        """Forget it: what it counted stays in the sums, what it measured does not."""
        os.close(self._beats)
        for file in self._metrics.glob(f"gauge_live*_{self.process.pid}.db"):
            file.unlink(missing_ok=True)


class Workers:
    """Keeps *count* workers running behind one socket."""

    def __init__(self, command: Sequence[str], listener: socket.socket, count: int, metrics: Path) -> None:
        self._command, self._listener, self._count, self._metrics = command, listener, count, metrics
        self._workers: list[Worker] = []
        self._ended_early = 0  # in a row
        self._stopped = False

    def run(self) -> int:
        """Watch until SIGTERM or SIGINT; returns the exit code: a worker's own if the first ones cannot start."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._workers = [self._started() for _ in range(self._count)]
        while not self._stopped:
            select.select([], [], [], 0.1)  # unlike sleep, ends when a signal comes
            code = self._watch()
            if code is not None:
                self._end()
                return code
        self._end()
        return 0

    def _watch(self) -> int | None:
        """Replace who is gone; a code if there is no point in that."""
        for place, worker in enumerate(self._workers):
            if worker.again is not None:
                if time.monotonic() >= worker.again:
                    self._workers[place] = self._started()
                continue
            worker.look()
            code = worker.process.poll()
            if code is not None:
                if not worker.began and code > 0 and not any(other.began for other in self._workers):
                    return code
                self._bury(worker, code)
        return None

    def _bury(self, worker: Worker, code: int) -> None:
        self._ended_early = 0 if worker.began else self._ended_early + 1
        pause = PAUSES_S[min(self._ended_early, len(PAUSES_S) - 1)]
        log.error("worker %d ended with code %d; another starts in %.0f s", worker.process.pid, code, pause)
        worker.close()
        worker.again = time.monotonic() + pause

    def _started(self) -> Worker:
        return Worker(self._command, self._listener, self._metrics)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopped = True

    def _end(self) -> None:
        """Take no more connections, let every worker finish what it began, then be gone."""
        self._listener.close()
        deadline = time.monotonic() + GRACE_S
        running = [worker for worker in self._workers if worker.again is None]
        for worker in running:
            worker.process.terminate()
        for worker in running:
            try:
                worker.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.error("worker %d did not end within %.0f s", worker.process.pid, GRACE_S)
                worker.process.kill()
                worker.process.wait()
            worker.close()


def supervise(arguments: Sequence[str], host: str, port: int, count: int) -> int:
    """Serve with *count* workers at one address; *arguments* are those of `python -m serving.server`.

    Returns:
        The exit code.
    """
    with _listening(host, port) as listener, _folder() as metrics:
        command = [sys.executable, "-m", "serving.server", *arguments]
        log.info("%d workers answer on http://%s:%d", count, host, listener.getsockname()[1])
        return Workers(command, listener, count, metrics).run()


def beating(pipe: int) -> Callable[[], Awaitable[None]]:
    """What a worker's loop calls each second; ends the worker when nobody listens any more."""
    os.set_blocking(pipe, False)

    async def beat() -> None:
        try:
            os.write(pipe, b".")
        except BlockingIOError:  # the parent is slow to read
            return
        except OSError:
            log.error("the parent is gone; ending")
            os.kill(os.getpid(), signal.SIGTERM)

    return beat


async def finish(server: "uvicorn.Server", sockets: list[socket.socket] | None = None) -> None:
    """End a worker's server: take no more connections, but answer what is on its way on those there are."""
    for listening in server.servers:
        listening.close()
    await asyncio.sleep(LINGER_S)
    await type(server).shutdown(server, sockets)


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
        yield listener


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Where workers count, so that each can tell the sums; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="cuvee-metrics-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
