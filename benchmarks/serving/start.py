"""From the start of a server to its first answer, and its memory, one worker and two."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serving.faults import children
from benchmarks.serving.load import wrk
from benchmarks.serving.servers import ours

REPETITIONS = 5


def measure(store: Path, out: Path, repetitions: int = REPETITIONS) -> dict[str, Any]:
    """Seconds to readiness over *repetitions*, MB of one server, and of each of two workers (shared pages divided)."""
    folder, seconds, resident = out / "start", [], 0.0
    for _ in range(repetitions):
        started = time.monotonic()
        with ours(store, folder / "one.log") as (url, pid):
            seconds.append(time.monotonic() - started)
            wrk(url, 4, 1, folder)
            resident = _mb(pid, "Rss")
    with ours(store, folder / "two.log", workers=2) as (url, parent):
        wrk(url, 16, 5, folder)
        each = [_mb(pid, "Pss") for pid in children(parent)]
    return {"seconds": seconds, "median_s": float(np.median(seconds)), "rss_mb": resident, "workers_pss_mb": each}


def _mb(pid: int, kind: str) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(f"{kind}:")) / 1024


def tell(found: dict[str, Any]) -> list[str]:
    """One line."""
    each = " and ".join(f"{mb:.0f}" for mb in found["workers_pss_mb"])
    return [
        f"First answer {found['median_s']:.1f} s after the start (of {len(found['seconds'])}: "
        f"{min(found['seconds']):.1f} to {max(found['seconds']):.1f}); one worker {found['rss_mb']:.0f} MB, two {each} "
        "MB each, what they share divided between them"
    ]
