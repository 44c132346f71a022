"""The graph as processes of its own over real sockets: a part that is killed costs its members, never the answer."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from graph_here import PARTS, graph
from kserve_router import Router, http_call, running_router

from components.common.errors import ConfigError
from components.deploy.trial import ask_v1
from serving.current import current_release
from serving.graph.server import main, parse_part, step_models

START_S = 120.0
Json = dict[str, Any]
QUESTIONS: list[Json] = [
    {"scenario": "recommend", "user_id": "u07", "k": 3, "explain": True},
    {"scenario": "search", "query": "garden", "k": 3},
    {"scenario": "similar", "item_id": "i01", "k": 3},
    {"scenario": "bundle", "item_ids": ["i01", "i04"], "k": 3},
]


@dataclass
class Running:
    """The processes by part, and the URL of the router before them."""

    url: str = ""
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def ask(self, *instances: Json) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=60)
        try:
            connection.request("POST", "/", json.dumps({"instances": instances}), {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()


def started(log: Path, *arguments: str) -> tuple["subprocess.Popen[bytes]", str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "serving.graph.server", *arguments, "--port", str(port)]
    with log.open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT), f"http://127.0.0.1:{port}"


def wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/v2/health/ready", timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text(errors="replace")[-2000:])


@pytest.fixture(scope="module")
def running(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Three parts that have members, two that nobody will ask, the steps, and the router on the manifest's graph."""
    release, logs, found = current_release(store), tmp_path_factory.mktemp("graph"), Running()
    assert release is not None
    places = {}
    try:
        for part in ("popularity", "cf", "text"):
            log = logs / f"{part}.log"
            found.processes[part], places[part] = started(log, "part", "--part", part, "--release", str(release))
        at = {part: f"{places.get(part, 'http://127.0.0.1:9')}/v1/models/cuvee-member:predict" for part in PARTS}
        named = [f"--part={part}={place}" for part, place in at.items()]
        shared = ["--release", str(release), "--store", str(store), "--part-seconds", "10"]
        found.processes["steps"], steps = started(logs / "steps.log", "steps", *shared, *named)
        for name, process in found.processes.items():
            wait(process, places.get(name, steps), logs / f"{name}.log")
        call = http_call({"cuvee-steps-http.cuvee.svc.cluster.local:8080": steps})
        with running_router(Router(graph(), call)) as url:
            found.url = url
            yield found
    finally:
        for process in found.processes.values():
            process.kill()
            process.wait()


def test_it_answers_as_the_single_server_and_of_a_killed_part_does_without_its_members(
    running: Running, url: str
) -> None:
    answers_as_the_single_server(running, url)
    running.processes["cf"].send_signal(signal.SIGKILL)
    running.processes["cf"].wait()
    for question in QUESTIONS:
        status, told = running.ask(question)
        assert status == 200
        assert len(told["predictions"][0]["items"]) == 3
        assert told["predictions"][0]["degraded"] == ([] if question["scenario"] == "search" else ["member:item_knn"])


def answers_as_the_single_server(running: Running, url: str) -> None:
    for question in QUESTIONS:
        status, told = running.ask(question)
        alone = ask_v1(url, question)
        assert status == 200, told
        (together,) = told["predictions"]
        assert together.pop("request_id") != alone.pop("request_id")
        assert together == alone
    status, refused = running.ask({"scenario": "nonsense"})
    assert (status, set(refused)) == (400, {"error", "id"})


def test_who_nobody_speaks_for_is_named_at_the_start(store: Path) -> None:
    release = current_release(store)
    assert release is not None
    with pytest.raises(ConfigError, match=r"nobody speaks for .*item_knn \(of cf\)"):
        step_models(store, release, "release", {"text": "http://x", "popularity": "http://x"})
    for bad in ("cf", "=http://x", "cf=x"):
        with pytest.raises(ConfigError, match="PART=URL"):
            parse_part(bad)
    with pytest.raises(SystemExit):
        main(["part", "--part", "cf", "--release", str(store / "nowhere")])
