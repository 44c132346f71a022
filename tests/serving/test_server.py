"""The real server over real sockets."""

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from http_calls import JSON, following, send, until
from small_release import small_release

from components.common.errors import ConfigError
from components.deploy.publish import champion, publish
from components.deploy.trial import ask_v1, ask_v2
from serving.current import POINTER
from serving.door import MAX_BODY_BYTES
from serving.server import parse_clock

V1, V2 = "/v1/models/cuvee:predict", "/v2/models/cuvee/infer"
GOOD = json.dumps({"instances": [{"scenario": "recommend"}]}).encode()
TENSOR = {"name": "instances", "shape": [1], "datatype": "BYTES", "data": ['{"scenario": "recommend"}']}
GOOD_V2 = json.dumps({"inputs": [TENSOR]}).encode()


@pytest.mark.parametrize(
    "instance",
    [
        {"scenario": "recommend", "user_id": "u07"},
        {"scenario": "recommend"},
        {"scenario": "search", "query": "garden"},
        {"scenario": "similar", "item_id": "i01"},
        {"scenario": "bundle", "item_ids": ["i01", "i04"]},
    ],
)
def test_every_scenario_answers_alike_over_v1_and_v2(url: str, instance: dict[str, Any]) -> None:
    asked = instance | {"k": 3, "explain": True}
    first, second = ask_v1(url, asked), ask_v2(url, asked)
    assert first.pop("request_id") != second.pop("request_id")
    assert first == second
    assert [item["position"] for item in first["items"]] == [1, 2, 3]
    for item in first["items"]:
        assert sum(item["why"].values()) == pytest.approx(item["score"])
    assert first["degraded"] == []


@pytest.mark.parametrize(
    ("more", "relaxed"),
    [
        ({"query": "🎧🎧"}, ["unknown_words"]),
        ({"query": "'; DROP TABLE items; --"}, ["unknown_words"]),
        ({"query": "無線耳機"}, ["unknown_words"]),
        ({"query": "gardne"}, []),
        ({"query": "garden", "filters": {"price": [1e6, 1e7]}}, ["price"]),
        ({"query": "garden", "filters": {"brand": "nobody's", "category": "no > where"}}, ["brand", "category"]),
        ({"query": "garden", "k": 200}, []),
    ],
)
def test_no_search_is_an_error_or_an_empty_page(url: str, more: dict[str, Any], relaxed: list[str]) -> None:
    status, answer = send(url, V1, json.dumps({"instances": [{"scenario": "search", "k": 3} | more]}))
    assert status == 200
    assert len(answer["predictions"][0]["items"]) >= 3
    assert answer["predictions"][0]["relaxed"] == relaxed


def test_a_v2_request_gets_its_id_back_or_one_of_its_own(url: str) -> None:
    assert send(url, V2, json.dumps({"id": "42", "inputs": [TENSOR]}))[1]["id"] == "42"
    assert len(send(url, V2, GOOD_V2)[1]["id"]) == 32


def test_an_id_that_could_not_be_sent_back_is_refused(url: str) -> None:
    assert send(url, V2, json.dumps({"id": "half \ud800", "inputs": [TENSOR]}))[0] == 400
    assert send(url, V2, json.dumps({"id": "whole \U0001f3a7", "inputs": [TENSOR]}))[1]["id"] == "whole \U0001f3a7"


def test_it_says_what_it_is(url: str) -> None:
    assert send(url, "/v1/models/cuvee", None, {}, "GET") == (200, {"name": "cuvee", "ready": True})
    status, metadata = send(url, "/v2/models/cuvee", None, {}, "GET")
    assert status == 200
    assert metadata["inputs"] == [{"name": "instances", "datatype": "BYTES", "shape": [-1]}]
    assert metadata["outputs"] == [{"name": "predictions", "datatype": "BYTES", "shape": [-1]}]
    assert send(url, "/v2/health/ready", None, {}, "GET") == (200, {"ready": True})


@pytest.mark.parametrize("path", [V1, V2])
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/octet-stream", ""])
def test_another_content_type_is_415(url: str, path: str, kind: str) -> None:
    assert send(url, path, headers={"Content-Type": kind} if kind else {})[0] == 415


def test_json_with_a_charset_is_json(url: str) -> None:
    assert send(url, V1, headers={"Content-Type": "Application/JSON; charset=utf-8"})[0] == 200


def test_compressed_bodies_are_415(url: str) -> None:
    assert send(url, V1, headers=JSON | {"Content-Encoding": "gzip"})[0] == 415


@pytest.mark.parametrize("path", [V1, V2])
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b"NaN", b"[" * 50_000, b'{"instances":', b"null", b"[]", b"1e999", b'"x"', b"{}",
     b'{"instances": 5}', b'{"inputs": 5}', b'{"inputs": []}', b'{"inputs": [{"name": "instances"}]}',
     b'{"instances": [{"scenario": "recommend", "k": 1e999}]}', b"9" * 5000,
     json.dumps({"inputs": [{"name": "instances", "shape": [-1], "datatype": "BYTES", "data": [None]}]}).encode(),
     json.dumps({"inputs": [{"name": "instances", "shape": [1], "datatype": "BYTES", "data": ["\ud800"]}]}).encode(),
     json.dumps({"inputs": [{"name": "x", "shape": [1], "datatype": "FP16", "data": [1.0]}]}).encode(),
     json.dumps({"instances": [{"scenario": "search", "query": "\ud800"}]}).encode()],
    ids=range(21),
)  # fmt: skip
def test_a_body_that_is_no_request_is_400(url: str, path: str, body: bytes) -> None:
    assert send(url, path, body)[0] == 400


@pytest.mark.parametrize(
    "headers", [{"inference-header-content-length": "x"}, {"ce-specversion": "1.0"}, {"ce-id": "1", "ce-type": "t"}]
)
def test_headers_that_confuse_kserve_do_not_confuse_the_server(url: str, headers: dict[str, str]) -> None:
    assert send(url, V1, headers=JSON | headers)[0] == 200
    assert send(url, V2, b'"abc"', headers=JSON | headers)[0] == 400


def test_a_bad_instance_is_named(url: str) -> None:
    body = json.dumps({"instances": [{"scenario": "recommend"}, {"scenario": "search", "querry": "tea"}]}).encode()
    status, answer = send(url, V1, body)
    assert status == 400
    assert "instances[1]: unknown field 'querry'" in answer["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/models/other:predict", 404),
        ("POST", "/v2/models/other/infer", 404),
        ("POST", "/v1/models/cuvee:explain", 404),
        ("POST", "/v2/models/cuvee/versions/1/infer", 404),
        ("POST", "/v2/repository/models/cuvee/unload", 404),
        ("POST", "/v2/repository/models/cuvee/load", 404),
        ("POST", "/v2//repository/models/cuvee/unload", 404),
        ("POST", "/%76%32/repository/models/cuvee/unload", 404),
        ("GET", "/../../etc/passwd", 404),
        ("GET", "/docs", 404),
        ("GET", V1, 404),
        ("PUT", V1, 405),
        ("DELETE", "/v2/models/cuvee", 405),
    ],
)
def test_routes_that_are_not_served(url: str, method: str, path: str, status: int) -> None:
    assert send(url, path, GOOD_V2 if path.startswith("/v2") else GOOD, method=method)[0] == status
    assert send(url, "/v2/models/cuvee/ready", None, {}, "GET")[0] == 200


def test_a_large_body_is_413_whether_its_length_is_announced_or_not(url: str) -> None:
    fits = GOOD + b" " * (MAX_BODY_BYTES - len(GOOD))
    pieces = [fits[i : i + 8192] for i in range(0, len(fits), 8192)]
    assert send(url, V1, fits)[0] == 200
    assert send(url, V1, iter(pieces), chunked=True)[0] == 200
    assert send(url, V1, fits + b" ")[0] == 413
    assert send(url, V1, iter([*pieces, b" "]), chunked=True)[0] == 413


def test_an_announced_gigabyte_is_refused_before_it_is_sent(url: str) -> None:
    address = urllib.parse.urlsplit(url)
    for length in ("1073741824", "9" * 40):
        with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=10) as raw:
            raw.sendall(f"POST {V1} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n".encode())
            raw.sendall(b"Content-Type: application/json\r\n\r\n")
            assert raw.recv(20).split()[1] in (b"413", b"400")


@pytest.fixture
def followed(release: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server that follows `current` of a store of the test's own."""
    store = tmp_path / "store"
    publish(release, store)
    with following(store, tmp_path / "log") as url:
        yield url, store


def test_the_server_follows_current_and_keeps_what_it_has_when_the_next_is_damaged(
    followed: tuple[str, Path], release: Path, tmp_path: Path
) -> None:
    url, store = followed
    first = champion(store)
    assert first is not None
    second = publish(small_release(tmp_path, lead=2.0), store)
    until(lambda: ask_v1(url, {"scenario": "recommend"})["release"] == second)
    (first / "shop.json").write_text("{}")
    (store / POINTER).write_text(first.name + "\n")
    time.sleep(2.5)
    assert ask_v1(url, {"scenario": "recommend"})["release"] == second
    assert "keeping release" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("case", ["nothing published", "damaged"])
def test_a_store_without_a_sound_release_stops_the_start_with_one_message(
    case: str, release: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    if case == "damaged":
        (store / "releases" / publish(release, store) / "shop.json").write_text("{}")
    else:
        shutil.rmtree(store, ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-m", "serving.server", "--store", str(store)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "ERROR" in done.stderr


def test_the_clock_of_the_command_line() -> None:
    assert parse_clock("now") == "now"
    assert parse_clock("release") == "release"
    assert parse_clock("1970-01-02") == parse_clock("1970-01-02T02:00:00+02:00") == 86_400_000_000
    with pytest.raises(ConfigError, match="--as-of"):
        parse_clock("yesterday")
