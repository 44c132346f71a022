"""Requests to a real server, and what every error of it must hold to."""

import http.client
import json
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from serving.workers import alone

JSON = {"Content-Type": "application/json"}
V1 = "/v1/models/cuvee:predict"
GOOD = json.dumps({"instances": [{"scenario": "recommend"}]}).encode()
LEAKS = ("Traceback", "Error", "Exception", "/work", "/tmp", ".py", "site-packages", "kserve", "pydantic", "engine")


def send(
    url: str,
    path: str,
    body: Any = GOOD,
    headers: dict[str, str] | None = None,
    method: str = "POST",
    chunked: bool = False,
) -> tuple[int, Any]:
    """One request; the answer's status and JSON, checked to be free of internals."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=30)
    try:
        connection.request(method, path, body, JSON if headers is None else headers, encode_chunked=chunked)
        response = connection.getresponse()
        text = response.read().decode()
    finally:
        connection.close()
    if response.status >= 400:
        assert not [leak for leak in LEAKS if leak in text], text
        answer = json.loads(text)
        assert set(answer) == {"error", "id"}
        assert len(answer["id"]) == 32
    return response.status, json.loads(text)


Read = dict[tuple[str, tuple[str, ...]], float]


def read(url: str) -> Read:
    """Every sample of the server's own metrics, by name and label values."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=30)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    families = [family for family in text_string_to_metric_families(text) if family.name.startswith("cuvee_")]
    return {(s.name, tuple(s.labels.values())): s.value for family in families for s in family.samples}


def ready(url: str) -> bool:
    """Does the server there answer questions."""
    try:
        return send(url, "/v2/models/cuvee/ready", None, {}, "GET")[0] == 200
    except OSError:
        return False


def until(condition: Callable[[], object], seconds: float = 60) -> float:
    """Wait; the seconds it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds
        time.sleep(0.02)
    return time.monotonic() - began


@contextmanager
def following(store: Path, log: Path) -> Iterator[str]:
    """The URL of a real server that follows `current` of *store*."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "serving.server", "--store", str(store), "--port", str(port)]
    with log.open("w") as output:
        process = subprocess.Popen(command, stderr=output, env=alone())
        try:
            until(lambda: ready(f"http://127.0.0.1:{port}"), 120)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            assert process.wait(15) is not None
