"""Traces of the real server, sent to a real collector that may also fail, hang or refuse."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from http_calls import JSON, V1, send, until
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from planted_server import HANGS as MEMBER_HANGS
from planted_server import WELL as MEMBER_WELL
from planted_server import planted_server

from benchmarks.serving.otlp_collector import FAILS, HANGS, REFUSES, WELL, Collector, collecting
from components.common.errors import ConfigError
from components.common.identity import id_key, pseudonym
from serving import telemetry
from serving.current import current_release

KNOWN = {"scenario": "recommend", "user_id": "u07", "k": 5, "explain": True}
CALLER = "00f067aa0ba902b7"
LONG = 60_000  # ms; for tests in which the deadline must not decide
SECRET = "zebra-7731"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def planted(store: Path, collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A server that sends its spans within 50 ms, and a member's mood."""
    release = current_release(store)
    assert release is not None
    with ExitStack() as running:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
            patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
            folder = tmp_path_factory.mktemp("traced")
            served = running.enter_context(planted_server(release, store, folder, ("--deadline-ms", "2000")))
        yield served


def ask(url: str, instance: dict[str, Any] = KNOWN, sampled: str = "01", **headers: str) -> tuple[str, int, Any]:
    """The trace's id, the status and the answer of one question whose caller traces."""
    trace = token_hex(16)
    parent = {"traceparent": f"00-{trace}-{CALLER}-{sampled}"}
    return trace, *send(url, V1, json.dumps({"instances": [instance]}), JSON | parent | headers)


def told(span: Span) -> dict[str, Any]:
    """A span's attributes."""
    return {
        one.key: [each.string_value for each in one.value.array_value.values]
        if one.value.HasField("array_value")
        else getattr(one.value, one.value.WhichOneof("value") or "string_value")
        for one in span.attributes
    }


def test_a_request_is_one_span_of_its_callers_trace_and_its_parts_lie_within(
    planted: tuple[str, Path], collector: Collector, store: Path
) -> None:
    trace, status, answer = ask(planted[0])
    assert status == 200
    until(lambda: collector.spans(trace))
    root, *parts = collector.spans(trace)
    assert (root.name, root.kind, root.parent_span_id.hex()) == (f"POST {V1}", Span.SPAN_KIND_SERVER, CALLER)
    release = answer["predictions"][0]["release"]
    assert told(root) == {
        "http.request.method": "POST",
        "http.route": V1,
        "http.response.status_code": 200,
        "cuvee.scenarios": ["recommend"],
        "cuvee.instances": 1,
        "cuvee.release": release,
        "cuvee.degraded": [],
    }
    names = [part.name for part in parts]
    members = [name for name in names if name.startswith("member:")]
    assert names == ["waiting", "features", "encode", *members, "gather", "blend", "why"]
    why = answer["predictions"][0]["items"][0]["why"]
    assert {f"member:{name}" for name in why if name != "context" and not name.startswith("rule:")} <= set(members)
    assert {part.parent_span_id for part in parts} == {root.span_id}
    assert {part.status.code for part in parts} == {Status.STATUS_CODE_UNSET}
    times = [(part.start_time_unix_nano, part.end_time_unix_nano) for part in parts]
    slack = 5_000_000  # ns that the two clocks may have drifted apart
    assert all(began <= ended for began, ended in times)
    assert root.start_time_unix_nano - slack <= times[0][0]
    assert times[-1][1] <= root.end_time_unix_nano + slack


def test_a_caller_that_does_not_sample_is_followed(planted: tuple[str, Path], collector: Collector) -> None:
    silent, status, _ = ask(planted[0], sampled="00")
    heard, _, _ = ask(planted[0])
    assert status == 200
    until(lambda: collector.spans(heard))
    assert not collector.spans(silent)


def test_a_part_that_hangs_is_a_span_that_failed(planted: tuple[str, Path], collector: Collector) -> None:
    url, mood = planted
    mood.write_text(MEMBER_HANGS)
    try:
        trace, status, answer = ask(url)
    finally:
        mood.write_text(MEMBER_WELL)
    assert status == 200
    lost = answer["predictions"][0]["degraded"]
    assert len(lost) == 1
    until(lambda: collector.spans(trace))
    root, *parts = collector.spans(trace)
    assert told(root)["cuvee.degraded"] == lost
    failed = [part for part in parts if part.status.code == Status.STATUS_CODE_ERROR]
    assert [(part.name, part.status.message) for part in failed] == [(lost[0], "left behind")]
    until(lambda: not ask(url)[2]["predictions"][0]["degraded"])


def test_nothing_a_customer_sends_is_told(planted: tuple[str, Path], collector: Collector, store: Path) -> None:
    url, _ = planted
    asked: list[dict[str, Any]] = [
        KNOWN,
        {"scenario": "search", "query": SECRET, "user_id": f"{SECRET}@example.org", "k": 3},
        {"scenario": "similar", "item_id": SECRET},
        {"scenario": SECRET},
    ]
    answers = [ask(url, each, baggage=f"who={SECRET}", tracestate=f"who={SECRET}") for each in asked]
    send(url, f"/v1/models/{SECRET}:predict?who={SECRET}", b"{}", JSON | {"User-Agent": SECRET})
    send(url, "/v1/events", json.dumps({"events": [{"event_id": SECRET}]}))
    until(lambda: all(collector.spans(trace) for trace, _, _ in answers))
    last, _, _ = ask(url)
    until(lambda: collector.spans(last))
    items = {item["item_id"] for item in answers[0][2]["predictions"][0]["items"]}
    key = id_key(store)
    people = {"u07", pseudonym("u07", key), SECRET, pseudonym(f"{SECRET}@example.org", key), str(store)}
    for body in collector.bodies:
        assert not [word for word in items | people if word.encode() in body]
    assert {status for _, status, _ in answers} == {200, 400}


@pytest.mark.parametrize("mood", [FAILS, HANGS, REFUSES])
def test_a_collector_that_fails_costs_spans_and_nothing_else(
    planted: tuple[str, Path], collector: Collector, mood: str
) -> None:
    url, _ = planted
    collector.be(mood)
    try:
        until(lambda: ask(url)[1] == 200 and (mood == REFUSES or collector.met), 30)
        began = time.monotonic()
        answers = [ask(url) for _ in range(30)]
        seconds = time.monotonic() - began
    finally:
        collector.be(WELL)
    assert {status for _, status, _ in answers} == {200}
    assert not any(answer["predictions"][0]["degraded"] for _, _, answer in answers)
    assert seconds < 10  # the exporter alone would wait 10 s for each batch


def test_a_server_ends_in_time_though_its_collector_hangs(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = current_release(store)
    assert release is not None
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{collector.url}/v1/traces")
        with planted_server(release, store, tmp_path, ("--deadline-ms", str(LONG))) as (url, _):
            trace, _, _ = ask(url)
            collector.be(HANGS)
            began = time.monotonic()
        assert collector.met  # the last spans were on their way
        assert time.monotonic() - began < 12
        assert not collector.spans(trace)


OFF = """
import sys
from fastapi import FastAPI
from serving import lane, model, server, telemetry
app = FastAPI()
telemetry.install(app)()
assert not app.user_middleware
assert not [name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))]
"""


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_SAMPLER": "always_off"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_off_is_off(given: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert not telemetry.wanted()


def test_off_imports_nothing_and_installs_nothing() -> None:
    subprocess.run([sys.executable, "-c", OFF], check=True, timeout=60)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "found OTEL_EXPORTER_OTLP_PROTOCOL=grpc, expected http/protobuf"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "0"}, "Look at the variables OTEL_"),
    ],
)
def test_variables_that_cannot_be_followed_are_said_before_anything_is_served(
    given: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastapi import FastAPI

    for name, value in (given | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=expected):
        telemetry.install(FastAPI())
