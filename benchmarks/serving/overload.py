"""More than the server can answer: what it sheds, how long the accepted wait, memory, recovery; and a steady half."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.serving.load import Told, ask, wrk
from benchmarks.serving.servers import ours

CAPACITY_AT = 32
FLOOD, TIMES = 512, 4  # connections that together would ask so many times what can be answered
PROBES = 4  # connections of the client that tells accepted from shed
RECOVERED = 1.5  # times the latency before, at most


def measure(store: Path, out: Path, seconds: float = 30.0, steady_s: float = 120.0) -> dict[str, Any]:
    """Figures at half the capacity for *steady_s*, then for *seconds* under TIMES the capacity.

    Each of FLOOD connections pauses after an answer. The flood is smaller by what is held back before it is refused
    (serving/admission.py).
    """
    folder = out / "overload"
    with ours(store, folder / "cuvee.log") as (url, pid):
        wrk(url, CAPACITY_AT, 3, folder)
        capacity = wrk(url, CAPACITY_AT, 5, folder)["per_s"]
        pause = max(0.0, CAPACITY_AT / (capacity / 2) - CAPACITY_AT / capacity)
        steady = asyncio.run(ask(url, CAPACITY_AT, steady_s, pause))
        before, memory = asyncio.run(ask(url, PROBES, 3)), _rss_mb(pid)
        between = str(round(FLOOD / (TIMES * capacity) * 1e3))
        command = [sys.executable, "-m", "benchmarks.serving.flood", url, str(FLOOD), str(seconds), between]
        flood = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            time.sleep(1)
            probed = asyncio.run(ask(url, PROBES, seconds - 2, 0.01))
            grown = _rss_mb(pid) - memory
        finally:
            asked = json.loads(flood.communicate()[0])
        recovery = _recovery(url, before)
    return {
        "capacity_per_s": capacity,
        "steady": _told(steady) | {"seconds": steady_s, "per_s": len(steady.asked) / steady_s},
        "flood": _told(probed) | {
            "seconds": seconds, "rss_growth_mb": grown, "connections": FLOOD,
            "asked_per_s": asked["asked_per_s"], "answered_per_s": asked["per_s"],
        },
        "recovery_s": recovery,
    }  # fmt: skip


def _told(told: Told) -> dict[str, Any]:
    waited = {"p50_ms": told.percentile(0.5), "p99_ms": told.percentile(0.99)}
    return {"statuses": told.counts(), "lacking": told.lacking} | waited


def _recovery(url: str, before: Told) -> float:
    """Seconds until half a second of questions is answered as fast as before, none shed."""
    started, bound = time.monotonic(), RECOVERED * before.percentile(0.5)
    while time.monotonic() - started < 30:
        now = asyncio.run(ask(url, PROBES, 0.5))
        if set(now.counts()) == {"200"} and now.percentile(0.5) <= bound:
            return time.monotonic() - started
    return float("inf")


def _rss_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS")) / 1024


def tell(found: dict[str, Any]) -> list[str]:
    """Three lines."""
    steady, flood = found["steady"], found["flood"]
    return [
        f"Capacity at {CAPACITY_AT} connections {found['capacity_per_s']:.0f}/s. {steady['seconds']:.0f} s at "
        f"{steady['per_s']:.0f}/s: {steady['statuses']}, {steady['lacking']} without a part, "
        f"p50 {steady['p50_ms']:.1f}, p99 {steady['p99_ms']:.1f} ms",
        f"{flood['connections']} connections for {flood['seconds']:.0f} s: {flood['asked_per_s']:.0f}/s asked, "
        f"{flood['answered_per_s']:.0f}/s answered; seen by a client of its own: {flood['statuses']}, "
        f"{flood['lacking']} without a part, accepted p50 {flood['p50_ms']:.1f}, p99 {flood['p99_ms']:.1f} ms, "
        f"memory {flood['rss_growth_mb']:+.0f} MB",
        f"Recovered {found['recovery_s']:.1f} s after",
    ]
