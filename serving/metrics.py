"""What the server says of itself at GET /metrics, beside KServe's own figures.

The names are a contract: alerts, dashboards and scaling in infra/ ask for them, and `make check-infra` holds those to
what is exported here.
"""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, exposition
from prometheus_client.multiprocess import MultiProcessCollector

from serving.drift import BINS
from serving.workers import METRICS_FOLDER

REQUESTS = Counter("cuvee_http_requests", "Requests that were answered, by their HTTP status", ["code"])
SECONDS = Histogram(
    "cuvee_http_request_seconds",
    "Seconds from the first byte of a question to the last of its answer",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.3, 0.5, 1, 2.5, 5),
)
ANSWERS = Counter("cuvee_answers", "Predictions, by scenario and by whether anything was missing", ["degraded"])
MISSING = Counter("cuvee_answers_without", "Predictions that had to do without a part", ["part"])
RELEASE = Gauge("cuvee_release_info", "1 for the release that answers", ["release"], multiprocess_mode="livemax")
SIGNED = Gauge(
    "cuvee_release_signed",
    "1 if a trusted key has signed the release that answers; 0: none is asked for",
    multiprocess_mode="livemin",
)
REFUSED = Gauge(
    "cuvee_release_refused",
    "1 while what `current` names was refused and an earlier release answers",
    multiprocess_mode="livemax",
)
SHED = Counter("cuvee_shed", "Questions refused with 429: too many at once, or their turn did not come", ["reason"])
ASKED = Counter("cuvee_questions", "Questions of customers, by what is told apart and its bin", ["what", "bin"])
SHOWN = Counter("cuvee_lists", "Answers to customers that held any item")
EVENTS = Counter(
    "cuvee_events", "What pages told, each once, by whether an answer of ours led to it", ["event", "ours"]
)
HUNG = Counter("cuvee_parts_left_behind", "Answers that went on without a part that hung", ["part"])
LEFT_ALONE = Gauge(
    "cuvee_breaker_open",
    "1 while a part that failed is left alone, 0 once it answers again",
    ["part"],
    multiprocess_mode="livemax",
)
WRITTEN = Gauge(
    "cuvee_online_features_written_seconds",
    "When the online features were last written, Unix time; 0: there are none",
    multiprocess_mode="livemax",
)

ONLINE_FILE, WATERMARK_FILE = "online.db", "watermark.json"
SEVERAL = METRICS_FOLDER in os.environ  # other workers; asked before Feast is imported, which sets it for itself
QUESTIONS = "POST"
YES_NO = ("yes", "no")
Kind = Literal["view", "click", "cart", "purchase", "rating", "review", "share"]
_ASKED = {(what, each): ASKED.labels(what, each) for what, bins in BINS.items() for each in bins}
"""Made at once: a bin that nobody fell into is 0, and not unknown."""
for _event in get_args(Kind):
    for _ours in YES_NO:
        EVENTS.labels(_event, _ours)
_served: set[str] = set()  # releases this process has told of


def answered(method: str, code: int, began: float) -> None:
    """Count a finished request; *began* is `time.perf_counter()` at its first byte."""
    REQUESTS.labels(str(code)).inc()
    if method == QUESTIONS:
        SECONDS.observe(time.perf_counter() - began)


def predicted(answers: Sequence[dict[str, Any]]) -> None:
    """Count predictions and what they had to do without."""
    for answer in answers:
        parts = answer["degraded"]
        ANSWERS.labels(YES_NO[not parts]).inc()
        for part in parts:
            MISSING.labels(part).inc()


def asked(told: Iterable[tuple[dict[str, Any], Sequence[tuple[str, str]]]]) -> None:
    """Count customers' questions by the bins that they fall into, and the answers that held any item."""
    for answer, bins in told:
        SHOWN.inc(bool(answer["items"]))
        for one in bins:
            _ASKED[one].inc()


def happened(event: Kind, ours: bool) -> None:
    """Count what a page told; *ours*: it named the answer that led to it."""
    EVENTS.labels(event, YES_NO[not ours]).inc()


def shed(reason: str) -> None:
    """Count a question that was refused: `full` at the door, `waiting` for its turn."""
    SHED.labels(reason).inc()


def left_behind(part: str) -> None:
    """Count a part that hung while it was asked."""
    HUNG.labels(part).inc()


def breaker(part: str, is_open: bool) -> None:
    """Say whether a part is left alone."""
    LEFT_ALONE.labels(part).set(is_open)


def serving(digest: str) -> None:
    """Say which release answers from now on."""
    RELEASE.labels(digest).set(1)
    for before in _served - {digest}:
        RELEASE.labels(before).set(0)
    _served.add(digest)


def install(app: FastAPI, store: Path) -> None:
    """Say of *store* what there is to say; of several workers each then tells the sums over all."""
    written = watch(store)
    if not SEVERAL:
        return
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]

    async def summed(request: Request) -> Response:
        WRITTEN.set(written())
        encode, kind = exposition.choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": kind})

    app.add_api_route("/metrics", summed, methods=["GET"], include_in_schema=False)


def follows(signed: bool, refused: bool) -> None:
    """Say whether the release that answers is signed, and whether it answers in place of one that was refused."""
    SIGNED.set(signed)
    REFUSED.set(refused)


def watch(store: Path) -> Callable[[], float]:
    """Say, whenever asked, when the online features of *store* were written; 0 where there are none."""

    def written() -> float:
        files = (store / ONLINE_FILE, store / WATERMARK_FILE)  # rows kept by a server leave only the latter here
        return next((file.stat().st_mtime for file in files if file.exists()), 0.0)

    WRITTEN.set_function(written)
    return written
