"""Supervision with small workers of the test's own; the real server behind one socket in test_processes."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from http_calls import until
from worker_parts import Parent, supervised

ANSWERS = """
import asyncio, os, pathlib, signal, socket, sys
from serving.workers import METRICS_FOLDER, beating
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
beat = beating(int(given["--beat"]))
pathlib.Path(os.environ[METRICS_FOLDER], f"gauge_livemax_{os.getpid()}.db").touch()
pathlib.Path(os.environ[METRICS_FOLDER], f"counter_{os.getpid()}.db").touch()
async def tell(reader, writer):
    seconds = float(await reader.readline())
    await asyncio.sleep(seconds)
    writer.write(str(os.getpid()).encode())
    await writer.drain()
    writer.close()
async def main():
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    server = await asyncio.start_server(tell, sock=socket.socket(fileno=int(given["--socket"])))
    while not stopped.is_set():
        await beat()
        await asyncio.sleep(0.1)
    server.close()
    while len(asyncio.all_tasks()) > 1:
        await asyncio.sleep(0.05)
asyncio.run(main())
"""


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[Parent]:
    with supervised(ANSWERS, tmp_path) as one:
        yield one


def test_a_killed_worker_is_replaced_and_the_address_answers_all_the_while(parent: Parent) -> None:
    first = parent.alive
    dead = parent.pid()
    os.kill(dead, signal.SIGKILL)
    assert all(parent.pid() in first - {dead} or dead not in parent.alive for _ in range(20))
    until(lambda: len(parent.alive) == 2 and dead not in parent.alive)
    until(lambda: not (parent.metrics / f"gauge_livemax_{dead}.db").exists())
    assert (parent.metrics / f"counter_{dead}.db").exists()  # sums never fall
    until(lambda: parent.pid() not in first)
    assert f"worker {dead} ended with code -9" in parent.log.read_text()


def test_a_worker_that_hangs_is_replaced_and_gets_no_new_connections(parent: Parent) -> None:
    hung = parent.pid()
    os.kill(hung, signal.SIGSTOP)
    assert {parent.pid() for _ in range(20)}.isdisjoint({hung})
    until(lambda: hung not in parent.alive and len(parent.alive) == 2)
    assert f"worker {hung} gave no sign of life" in parent.log.read_text()


def test_what_is_in_flight_is_answered_before_the_end_and_the_address_is_free(parent: Parent) -> None:
    asked = [parent.ask(0.5) for _ in range(50)]
    time.sleep(0.3)
    parent.process.send_signal(signal.SIGTERM)
    assert all(connection.recv(20) for connection in asked)
    assert parent.process.wait(10) == 0
    with pytest.raises(ConnectionRefusedError):
        parent.ask()
    assert not parent.metrics.exists()


def test_a_worker_that_does_not_end_is_ended(parent: Parent) -> None:
    hung = parent.pid()
    parent.ask(0.0)
    os.kill(hung, signal.SIGSTOP)
    parent.process.send_signal(signal.SIGTERM)
    assert parent.process.wait(15) == 0
    assert not Path(f"/proc/{hung}").exists()


def test_workers_end_when_the_parent_is_killed(parent: Parent) -> None:
    workers = parent.alive
    parent.process.kill()
    until(lambda: not any(Path(f"/proc/{worker}/cmdline").exists() and _runs(worker) for worker in workers))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_workers_that_cannot_start_at_all_end_it_with_their_code(tmp_path: Path) -> None:
    one = Parent("raise SystemExit(3)", tmp_path)
    assert one.process.wait(20) == 3


def test_a_worker_that_keeps_ending_is_started_again_with_pauses(tmp_path: Path) -> None:
    one = Parent("import os\nos.kill(os.getpid(), 9)", tmp_path)
    try:
        until(lambda: one.log.read_text().count("another starts in") > 5)
        assert one.process.poll() is None
    finally:
        one.process.kill()
        one.process.wait()
