"""Load: wrk for throughput and latency, and a client of our own that keeps the status of every request."""

import asyncio
import json
import re
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from components.common.errors import CuveeError

ROUTE = "/v1/models/cuvee:predict"
JSON = "Content-Type: application/json"
WHOLE = b'"degraded":[]'  # what an answer says that lacks nothing
USERS = 2_469  # of Complete Journey, whose ids are numbers from 1
SCRIPT = """
wrk.method, wrk.headers["Content-Type"] = "POST", "application/json"
local number = 0
function request()
  number = number % {users} + 1
  return wrk.format(nil, "{route}", nil,
    '{{"instances":[{{"scenario":"recommend","user_id":"' .. number .. '","k":10}}]}}')
end
{pause}function done(summary, latency)
  io.write(string.format('JSON{{"requests":%d,"us":%d,"p50_ms":%.3f,"p99_ms":%.3f,"bad":%d,"broken":%d}}\\n',
    summary.requests, summary.duration, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
"""
Figures = dict[str, float]


def wrk(url: str, connections: int, seconds: float, folder: Path, pause_ms: int = 0) -> Figures:
    """Answers and requests a second, milliseconds at the median and at the 99th percentile, errors, broken connections.

    Every connection asks again *pause_ms* after its answer.

    Raises:
        CuveeError: wrk is not installed.
    """
    program = shutil.which("wrk")
    if program is None:
        raise CuveeError("wrk is not installed; it makes the load. Debian: apt-get install wrk.")
    script = folder / "ask.lua"
    folder.mkdir(parents=True, exist_ok=True)
    pause = f"function delay() return {pause_ms} end\n" if pause_ms else ""
    script.write_text(SCRIPT.format(users=USERS, route=ROUTE, pause=pause))
    command = [program, "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "10s", "-s", str(script), url]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"JSON(\{.*\})", told)
    if found is None:
        raise CuveeError(f"wrk told no figures: {told[-500:]}")
    figures: Figures = json.loads(found.group(1))
    return rates(figures) | figures


def rates(figures: Figures) -> Figures:
    """What was answered and what was asked a second: a refusal is no answer."""
    seconds = figures["us"] / 1e6
    return {"per_s": (figures["requests"] - figures["bad"]) / seconds, "asked_per_s": figures["requests"] / seconds}


@dataclass
class Told:
    """What came of every request: (when, status or 0 for a broken connection, seconds).

    lacking: how many were answered without a part of the answer.
    """

    asked: list[tuple[float, int, float]] = field(default_factory=list)
    lacking: int = 0

    def counts(self) -> dict[str, int]:
        """How many by status."""
        found: dict[str, int] = {}
        for _, status, _ in self.asked:
            found[str(status)] = found.get(str(status), 0) + 1
        return found

    def percentile(self, share: float, status: int = 200) -> float:
        """Milliseconds that *share* of the answers of this status stay below."""
        taken = sorted(seconds for _, one, seconds in self.asked if one == status)
        return taken[min(int(len(taken) * share), len(taken) - 1)] * 1e3 if taken else float("nan")


async def ask(url: str, connections: int, seconds: float, pause_s: float = 0.0) -> Told:
    """Ask from *connections* at once, each one after another with a pause, for *seconds*."""
    told, end = Told(), time.monotonic() + seconds
    await asyncio.gather(*(_ask(url, number, end, pause_s, told) for number in range(connections)))
    return told


def question(number: int) -> bytes:
    """What one question of the user *number* looks like on the wire."""
    body = json.dumps({"instances": [{"scenario": "recommend", "user_id": str(number), "k": 10}]}).encode()
    head = f"POST {ROUTE} HTTP/1.1\r\nHost: x\r\n{JSON}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _ask(url: str, number: int, end: float, pause_s: float, told: Told) -> None:
    address = urlsplit(url)
    reader, writer = None, None
    while time.monotonic() < end:
        number = number % USERS + 1
        asked = question(number)
        started, status = time.monotonic(), 0
        try:
            if reader is None or writer is None:
                reader, writer = await asyncio.open_connection(address.hostname, address.port)
            writer.write(asked)
            status, body = await asyncio.wait_for(answer(reader), 15)
            told.lacking += status == 200 and WHOLE not in body
        except (OSError, EOFError, TimeoutError, ValueError):
            reader = None
        told.asked.append((started, status, time.monotonic() - started))
        await asyncio.sleep(pause_s)
    if writer is not None:
        writer.close()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The status and the body of the next answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    body = await reader.readexactly(int(length.group(1)) if length else 0)
    return int(head.split(b" ", 2)[1]), body
