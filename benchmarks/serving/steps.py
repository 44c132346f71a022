"""Questions at equal steps, whether those before are answered or not, and what their answers had to do without."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from benchmarks.serving.load import USERS, answer, question

PATIENCE_S = 15.0
FEATURES = "features"  # what the feature store is called in `degraded`


@dataclass(frozen=True)
class Answered:
    """One question. status: 0 for a broken connection. seconds: from its moment. degraded: what it did without."""

    status: int
    seconds: float
    degraded: tuple[str, ...] = ()


async def in_steps(url: str, per_s: float, seconds: float) -> list[Answered]:
    """Ask *per_s* times a second for *seconds*, each question by a connection of its own."""
    began = time.monotonic()
    moments = [began + number / per_s for number in range(round(per_s * seconds))]
    return await asyncio.gather(*(_at(url, number % USERS + 1, moment) for number, moment in enumerate(moments)))


async def _at(url: str, number: int, moment: float) -> Answered:
    """The question of one user, at its *moment*; a late start counts as waiting."""
    await asyncio.sleep(moment - time.monotonic())
    address, writer, status, body = urlsplit(url), None, 0, b""
    try:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(question(number))
        status, body = await asyncio.wait_for(answer(reader), PATIENCE_S)
    except (OSError, EOFError, TimeoutError, ValueError):
        status = 0
    finally:
        seconds = time.monotonic() - moment
        if writer is not None:
            writer.close()
    degraded = json.loads(body)["predictions"][0]["degraded"] if status == 200 else ()
    return Answered(status, seconds, tuple(degraded))


def figures(answers: list[Answered], bound_s: float) -> dict[str, Any]:
    """Shares answered (200), answered within *bound_s* and without features, of all asked; milliseconds of the answers.

    within: the share of all questions that were answered, and in time. without_features: of those answered.
    """
    well = [one for one in answers if one.status == 200]
    ms = [one.seconds * 1e3 for one in well] or [float("nan")]
    p50, p99, slowest = np.percentile(ms, [50, 99, 100]).tolist()
    statuses = [one.status for one in answers]
    return {
        "asked": len(answers),
        "statuses": {str(status): statuses.count(status) for status in sorted(set(statuses))},
        "answered": len(well) / len(answers),
        "within": sum(one.seconds <= bound_s for one in well) / len(answers),
        "without_features": sum(FEATURES in one.degraded for one in well) / max(len(well), 1),
        "p50_ms": p50,
        "p99_ms": p99,
        "slowest_ms": slowest,
    }
