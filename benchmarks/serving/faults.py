"""Two workers behind a real Envoy: killed, stopped and told to end while they are asked."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks.serving.load import Told, ask
from benchmarks.serving.servers import envoy, ours

CONNECTIONS, PAUSE_S = 8, 0.02  # of the client; some hundred questions a second
KILLS, EVERY_S = 12, 8.0
STARTED_S = 180.0


def measure(store: Path, out: Path, kills: int = KILLS, every_s: float = EVERY_S) -> dict[str, Any]:
    """What a client of Envoy was told while workers are killed, and while one is stopped."""
    folder = out / "faults"
    log = folder / "cuvee.log"
    with ours(store, log, workers=2) as (behind, parent), envoy(behind, folder) as url:
        _until(lambda: _ready(log) == 2)
        asyncio.run(ask(url, CONNECTIONS, 2))
        killed, back = asyncio.run(_under_load(url, lambda: _kill(parent, log, kills, every_s)))
        _until(lambda: len(children(parent)) == 2)
        stopped, replaced = asyncio.run(_under_load(url, lambda: _stop(parent, log)))
    return {
        "killed": _told(killed) | {"kills": kills, "every_s": every_s, "back_s": back},
        "stopped": _told(stopped) | {"back_s": replaced},
    }


def children(parent: int) -> list[int]:
    """The processes that *parent* started."""
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


async def _under_load(url: str, fault: Callable[[], Awaitable[list[float]]]) -> tuple[Told, list[float]]:
    """What the client was told while *fault* went on, and what that returned."""
    told, over = Told(), asyncio.Event()

    async def load() -> None:
        while not over.is_set():
            told.asked += (await ask(url, CONNECTIONS, 1.0, PAUSE_S)).asked

    loading = asyncio.create_task(load())
    await asyncio.sleep(1)
    found = await fault()
    over.set()
    await loading
    return told, found


async def _kill(parent: int, log: Path, kills: int, every_s: float) -> list[float]:
    """Kill the older of the workers *kills* times; seconds until there were as many again that answer."""
    back = []
    for _ in range(kills):
        ready, started = _ready(log), time.monotonic()
        os.kill(min(children(parent)), signal.SIGKILL)
        while _ready(log) == ready and time.monotonic() - started < STARTED_S:
            await asyncio.sleep(0.05)
        back.append(time.monotonic() - started)
        await asyncio.sleep(max(0.0, every_s - back[-1]))
    return back


async def _stop(parent: int, log: Path) -> list[float]:
    """Stop one worker; seconds until another is in its place."""
    ready, started = _ready(log), time.monotonic()
    os.kill(min(children(parent)), signal.SIGSTOP)
    while _ready(log) == ready and time.monotonic() - started < STARTED_S:
        await asyncio.sleep(0.05)
    taken = time.monotonic() - started
    await asyncio.sleep(2)
    return [taken]


def _ready(log: Path) -> int:
    """How many workers have said that they serve."""
    return log.read_text(errors="replace").count("serving release")


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + STARTED_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)


def _told(told: Told) -> dict[str, Any]:
    counts = told.counts()
    failed = sum(count for status, count in counts.items() if status == "0" or status >= "500")
    slowest = max(seconds for _, _, seconds in told.asked) * 1e3
    return {"statuses": counts, "failed": failed, "p99_ms": told.percentile(0.99), "slowest_ms": slowest}


def tell(found: dict[str, Any]) -> list[str]:
    """One line for each fault."""
    killed, stopped = found["killed"], found["stopped"]
    return [
        f"kill -9 of one of two workers every {killed['every_s']:.0f} s, {killed['kills']} times: "
        f"{killed['statuses']}, {killed['failed']} failed at Envoy, "
        f"p99 {killed['p99_ms']:.0f} ms, slowest {killed['slowest_ms']:.0f} ms; "
        f"two answer again after {max(killed['back_s']):.1f} s at most",
        f"SIGSTOP of one of two: {stopped['statuses']}, {stopped['failed']} failed, "
        f"slowest {stopped['slowest_ms']:.0f} ms; replaced after {stopped['back_s'][0]:.1f} s",
    ]
