"""What the server says of itself at GET /metrics, beside KServe's own figures.

The names are a contract: alerts, dashboards and scaling in infra/ ask for them, and `make check-infra` holds those to
what is exported here.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("cuvee_http_requests", "Requests that were answered, by their HTTP status", ["code"])
SECONDS = Histogram(
    "cuvee_http_request_seconds",
    "Seconds from the first byte of a question to the last of its answer",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.3, 0.5, 1, 2.5, 5),
)
ANSWERS = Counter("cuvee_answers", "Predictions, by scenario and by whether anything was missing", ["degraded"])
MISSING = Counter("cuvee_answers_without", "Predictions that had to do without a part", ["part"])
RELEASE = Gauge("cuvee_release_info", "1 for the release that answers", ["release"])
WRITTEN = Gauge(
    "cuvee_online_features_written_seconds", "When the online features were last written, Unix time; 0: there are none"
)

ONLINE_FILE = "online.db"
QUESTIONS = "POST"


def answered(method: str, code: int, began: float) -> None:
    """Count a finished request; *began* is `time.perf_counter()` at its first byte."""
    REQUESTS.labels(str(code)).inc()
    if method == QUESTIONS:
        SECONDS.observe(time.perf_counter() - began)


def predicted(answers: Sequence[dict[str, Any]]) -> None:
    """Count predictions and what they had to do without."""
    for answer in answers:
        parts = answer["degraded"]
        ANSWERS.labels("yes" if parts else "no").inc()
        for part in parts:
            MISSING.labels(part).inc()


def serving(digest: str) -> None:
    """Say which release answers from now on."""
    RELEASE.clear()
    RELEASE.labels(digest).set(1)


def watch(store: Path) -> Callable[[], float]:
    """Say, whenever asked, when the online features of *store* were written; 0 where there are none."""

    def written() -> float:
        file = store / ONLINE_FILE
        return file.stat().st_mtime if file.exists() else 0.0

    WRITTEN.set_function(written)
    return written
