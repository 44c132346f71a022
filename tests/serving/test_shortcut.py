"""The contract of the lightened server: whatever is asked, it answers as KServe's own way does, to the byte."""

import asyncio
import json
import re
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kserve import Model

from serving.current import current_release
from serving.shortcut import Shortcut

V1, V2 = "/v1/models/cuvee:predict", "/v2/models/cuvee/infer"
PLAIN = """
import logging, sys
from serving import lean
lean.install()
from pathlib import Path
from serving import server
for name, level in server.QUIET.items():
    logging.getLogger(name).setLevel(level)
store, release, port = sys.argv[1:]
server.serve(Path(store), Path(release), "127.0.0.1", int(port), "release", light=False, deadline_s=10.0)
"""
IDS = re.compile(rb'(id\\?":\s?\\?")[0-9a-f]{32}')
Answer = tuple[bytes, list[tuple[bytes, bytes]], bytes]


@pytest.fixture(scope="module")
def plain(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same server on the same store, going KServe's own way throughout."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", PLAIN, str(store), str(current_release(store)), str(port)]
    log = tmp_path_factory.mktemp("plain") / "log"
    with log.open("w") as output:
        process = subprocess.Popen(command, stderr=output, stdout=output)
    deadline = time.monotonic() + 120
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            assert time.monotonic() < deadline, log.read_text()
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(20)


def raw(url: str, request: bytes) -> Answer:
    """Status line, headers but for the date, and body of the answer to these very bytes."""
    address = urllib.parse.urlsplit(url)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=30) as connection:
        connection.sendall(request)
        got = b""
        while b"\r\n\r\n" not in got:
            got += connection.recv(65536) or pytest.fail(f"no answer to {request[:200]!r}")
        head, _, body = got.partition(b"\r\n\r\n")
        status, *lines = head.split(b"\r\n")
        headers = [(name.lower(), value) for name, _, value in (line.partition(b": ") for line in lines)]
        length = int(dict(headers).get(b"content-length", b"0"))
        while len(body) < length and not request.startswith(b"HEAD"):
            body += connection.recv(65536)
    return status, [pair for pair in headers if pair[0] != b"date"], IDS.sub(rb"\1-", body)


def post(body: bytes, path: str = V1, *headers: str, method: str = "POST", version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: cuvee", f"Content-Length: {len(body)}", *headers]
    if not any(line.lower().startswith("content-type") for line in headers):
        lines.append("Content-Type: application/json")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def asking(*instances: object) -> bytes:
    return json.dumps({"instances": instances}).encode()


GOOD = asking({"scenario": "recommend", "user_id": "u07", "k": 3, "explain": True})
EVENT = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "time": "2026-01-01T00:00:00Z"}
TENSOR = {"name": "instances", "shape": [1], "datatype": "BYTES", "data": ['{"scenario": "recommend"}']}
REQUESTS = {
    "a user": post(GOOD),
    "nobody": post(asking({"scenario": "recommend"})),
    "a query": post(asking({"scenario": "search", "query": "gardne violin ☕", "k": 4})),
    "an item": post(asking({"scenario": "similar", "item_id": "i00", "explain": True})),
    "an unknown item": post(asking({"scenario": "similar", "item_id": "nobody's"})),
    "a basket": post(asking({"scenario": "bundle", "item_ids": ["i01", "i04"]})),
    "several": post(asking({"scenario": "recommend"}, {"scenario": "search", "query": "tea"})),
    "spaces": post(b'\r\n {"instances" :\t[ {"scenario":"recommend"} ] } \n'),
    "a key twice": post(b'{"instances": 1, "instances": [{"scenario": "recommend"}]}'),
    "keep alive": post(GOOD, V1, "Connection: keep-alive"),
    "close": post(GOOD, V1, "Connection: close"),
    "http 1.0": post(GOOD, version="1.0"),
    "a query string": post(GOOD, V1 + "?a=b&c"),
    "an escaped colon": post(GOOD, V1.replace(":", "%3A")),
    "a slash at the end": post(GOOD, V1 + "/"),
    "two slashes": post(GOOD, "/" + V1),
    "another case": post(GOOD, V1.upper()),
    "another model": post(GOOD, V1.replace("cuvee", "other")),
    "explain": post(GOOD, V1.replace("predict", "explain")),
    "chunked": b"\r\n".join([f"POST {V1} HTTP/1.1".encode(), b"Host: x", b"Transfer-Encoding: chunked",
                             b"Content-Type: application/json", b"", b"%x" % len(GOOD), GOOD, b"0", b"", b""]),
    "expecting": post(GOOD, V1, "X-Request-Id: 7", "Traceparent: 00-1-1-01", "Accept: text/html"),
    "gzip": post(GOOD, V1, "Content-Encoding: gzip"),
    "text": post(GOOD, V1, "Content-Type: text/plain"),
    "a charset": post(GOOD, V1, "Content-Type: application/json; charset=utf-8"),
    "cloud events in headers": post(GOOD, V1, "ce-specversion: 1.0", "ce-id: 1", "ce-source: s", "ce-type: t"),
    "cloud events": post(json.dumps(EVENT | {"data": json.loads(GOOD)}).encode()),
    "cloud events of anything": post(json.dumps(EVENT | {"data": 5}).encode()),
    "binary": post(GOOD, V1, "Inference-Header-Content-Length: 5"),
    "get": post(b"", method="GET"),
    "put": post(GOOD, method="PUT"),
    "head": post(b"", method="HEAD"),
    "options": post(b"", method="OPTIONS"),
    "v2": post(json.dumps({"id": "7", "inputs": [TENSOR]}).encode(), V2),
    "v2 of nothing": post(b"{}", V2),
    "metadata": post(b"", "/v2/models/cuvee", method="GET"),
    "ready": post(b"", "/v2/health/ready", method="GET"),
    "live": post(b"", "/", method="GET"),
    "the description": post(b"", "/openapi.json", method="GET"),
    "too large": post(b" " * (256 * 1024 + 1)),
} | {
    f"body {number}": post(body)
    for number, body in enumerate([
        b"", b"{", b"\xff", b"null", b"5", b"[]", b'"x"', b"{}", b"NaN", b"[" * 40_000, b'{"instances": null}',
        b'{"instances": {}}', b'{"instances": []}', b'{"instances": [5]}', b'{"instances": [{}]}',
        b'{"instances": "x"}', b'{"instances": [{"scenario": "recommend", "k": 1e999}]}',
        b'{"instances": [{"scenario": "recommend"}], "parameters": {}}', b'{"inputs": [1]}',
        b'{"instances": [{"scenario": "recommend", "k": 201}]}', b'{"instances": [{"scenario": "search"}]}',
        b'{"instances": [{"scenario": "search", "query": "\\ud800"}]}', asking(*[{"scenario": "recommend"}] * 257),
        b'{"instances": [{"scenario": "recommend", "weights": {"nobody": 1}}]}', b'{"Instances": []}',
    ])
}  # fmt: skip


@pytest.mark.parametrize("name", REQUESTS)
def test_both_ways_answer_alike_to_the_byte(name: str, url: str, plain: str) -> None:
    assert raw(url, REQUESTS[name]) == raw(plain, REQUESTS[name])


def test_what_kserve_counts_is_counted_on_the_short_way_too(url: str) -> None:
    name = b'request_predict_seconds_count{model_name="cuvee"}'

    def counted() -> float:
        figures = raw(url, post(b"", "/metrics", method="GET"))[2].splitlines()
        return next((float(line.split()[-1]) for line in figures if line.startswith(name)), 0.0)

    before = counted()
    assert raw(url, post(GOOD))[0].endswith(b"200 OK")
    assert counted() == before + 1


def test_requests_on_one_connection_are_answered_in_their_order(url: str) -> None:
    address = urllib.parse.urlsplit(url)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=30) as connection:
        connection.sendall(post(asking({"scenario": "recommend", "k": 1})) + post(b"{") + post(b"", "/", method="GET"))
        got = b""
        while b"alive" not in got:
            got += connection.recv(65536)
    assert re.findall(rb"HTTP/1\.1 (\d+)", got) == [b"200", b"400", b"200"]


def test_a_model_that_is_not_ready_is_left_to_kserve() -> None:
    passed: list[str] = []

    async def kserve(scope: Any, receive: Any, _send: Any) -> None:
        passed.append(scope["path"])
        assert (await receive())["body"] == b'{"instances": []}'

    async def receive() -> Any:
        return {"type": "http.request", "body": b'{"instances": []}', "more_body": False}

    async def send(_message: Any) -> None:
        raise AssertionError("the shortcut has answered for a model that is not ready")

    model = Model("cuvee")
    assert not model.ready
    scope = {"type": "http", "method": "POST", "path": V1, "headers": [(b"content-type", b"application/json")]}
    asyncio.run(Shortcut(kserve, model)(scope, receive, send))
    assert passed == [V1]
