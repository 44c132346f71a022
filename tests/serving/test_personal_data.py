"""Whoever reads logs, metrics, traces or the store meets no customer: planted names and questions are looked for."""

import base64
import json
import shutil
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from http_calls import JSON, V1, send, until
from planted_server import QUOTES, RAISES, WELL, planted_server
from small_release import live_store, run_folder

from benchmarks.serving.otlp_collector import collecting
from components.common.identity import id_key, pseudonym
from serving.current import current_release

WHO, ASKED = "jane-7731@example.org", "zebra-7731 ointment"
MARKS = (b"jane-7731", b"zebra-7731")
V2, EVENTS = "/v2/models/cuvee/infer", "/v1/events"
GOOD: list[dict[str, Any]] = [
    {"scenario": "recommend", "user_id": WHO, "k": 3},
    {"scenario": "recommend", "user_id": WHO, "k": 3, "context": {"viewed": [WHO]}},
    {"scenario": "search", "query": ASKED, "user_id": WHO},
]
BAD: list[Any] = [
    {"scenario": "recommend", "user_id": WHO, "k": WHO},
    {"scenario": WHO, "query": ASKED},
    {"scenario": "search", "query": ASKED * 40},
    {"scenario": "search", "query": ASKED, "image": base64.b64encode(WHO.encode()).decode()},
    {WHO: ASKED},
    WHO,
]


@dataclass(frozen=True)
class Asked:
    """What a server left behind that was asked a great deal about one customer."""

    log: bytes
    metrics: bytes
    spans: bytes
    store: Path


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    folder = tmp_path_factory.mktemp("asked")
    store = shutil.copytree(live_store(run_folder(tmp_path_factory)), folder / "store")
    release = current_release(store)
    assert release is not None
    with ExitStack() as running:
        collector = running.enter_context(collecting())
        patch = running.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        url, mood = running.enter_context(planted_server(release, store, folder, ("--deadline-ms", "20000")))
        for one in (WELL, RAISES, QUOTES):
            mood.write_text(one)
            _ask(url)
        (store / "online.db").unlink()  # users' rows cannot be read
        _ask(url)
        until(lambda: collector.bodies)
        metrics = _metrics(url)
    return Asked((folder / "server.log").read_bytes(), metrics, b"".join(collector.bodies), store)


def _ask(url: str) -> None:
    for one in GOOD:
        assert send(url, V1, json.dumps({"instances": [one]}))[0] == 200
    for one in BAD:
        assert 400 <= send(url, V1, json.dumps({"instances": [one]}))[0] < 500
    for body in (f'{{"instances": [{ASKED}', json.dumps({"instances": [{"query": WHO * 9_000}]})):
        assert 400 <= send(url, V1, body)[0] < 500
    inputs = [{"name": "instances", "shape": [1], "datatype": "BYTES", "data": [json.dumps(GOOD[2])]}]
    assert send(url, V2, json.dumps({"inputs": inputs}))[0] in (200, 400)
    event = {"event_id": WHO, "user_id": WHO, "item_id": ASKED, "event": "view"}
    for told in (event, event | {"timestamp": WHO}, event | {WHO: ASKED}):
        assert send(url, EVENTS, json.dumps({"events": [told]}))[0] in (200, 400)
    assert send(url, f"/v2/health/ready?user={WHO}", None, JSON, "GET")[0] == 200


def _metrics(url: str) -> bytes:
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:
        return bytes(answer.read())


@pytest.mark.parametrize("where", ["log", "metrics", "spans"])
def test_nobody_is_named(asked: Asked, where: str) -> None:
    found: bytes = getattr(asked, where)
    assert len(found) > 200  # there is something to look through
    assert not [mark for mark in MARKS if mark in found]


def test_errors_were_logged_all_the_same(asked: Asked) -> None:
    lines = [json.loads(line) for line in asked.log.decode().splitlines()]
    kinds = {error["kind"] for line in lines for error in line.get("errors", [])}
    assert {"RuntimeError", "LookupError"} <= kinds


def test_the_store_knows_the_customer_by_a_pseudonym_alone(asked: Asked) -> None:
    files = {path.name: path.read_bytes() for path in sorted(asked.store.rglob("*")) if path.is_file()}
    assert not [name for name, content in files.items() if MARKS[0] in content]
    known = pseudonym(WHO, id_key(asked.store)).encode()
    assert [name for name, content in files.items() if known in content]
