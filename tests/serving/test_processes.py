"""The real server with two workers behind one socket."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from http_calls import GOOD, JSON, V1, read, ready, send, until

from components.deploy.trial import ask_v1
from serving.workers import alone

STARTED_S = 180.0  # for two workers on a machine that has other work


class Served:
    """`python -m serving.server --workers 2` on a store of the test's own."""

    def __init__(self, store: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url, self.log = f"http://127.0.0.1:{port}", store.parent / "log"
        command = [sys.executable, "-m", "serving.server", "--store", str(store), "--port", str(port)]
        command += ["--deadline-ms", "10000"]  # what is asked here is who answers, not how soon
        with self.log.open("w") as log:
            self.process = subprocess.Popen([*command, "--workers", "2"], stderr=log, env=alone())

    @property
    def workers(self) -> set[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return set(map(int, children.split()))

    def ready(self) -> int:
        """How many workers have opened what they answer from."""
        return self.log.read_text().count("serving release")


@pytest.fixture(scope="module")
def served(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    one = Served(shutil.copytree(store, tmp_path_factory.mktemp("processes") / "store"))
    until(lambda: one.ready() == 2, STARTED_S)
    until(lambda: ready(one.url), STARTED_S)
    yield one
    one.process.terminate()
    assert one.process.wait(30) == 0


def test_workers_share_what_they_map_and_hold_no_training_framework(served: Served) -> None:
    maps = [Path(f"/proc/{pid}/maps").read_text() for pid in served.workers]
    assert len(maps) == 2
    assert not [name for name in ("libtorch", "libtensorflow") for text in maps if name in text]


def test_every_worker_tells_the_sums_of_all(served: Served) -> None:
    before = read(served.url).get(("cuvee_answers_total", ("no",)), 0.0)
    for _ in range(20):
        assert send(served.url, V1, GOOD)[0] == 200
    seen = [read(served.url) for _ in range(6)]
    assert {figures["cuvee_answers_total", ("no",)] for figures in seen} == {before + 20}
    assert {value for figures in seen for (name, _), value in figures.items() if name == "cuvee_release_info"} == {1.0}
    assert all(figures["cuvee_online_features_written_seconds", ()] > 0 for figures in seen)


def test_an_event_told_to_one_worker_is_known_to_all_within_a_second(served: Served) -> None:
    told = [{"event_id": f"p{n}", "user_id": "new", "item_id": f"i{3 * n:02d}", "event": "purchase"} for n in range(3)]
    assert send(served.url, "/v1/events", json.dumps({"events": told}))[1]["accepted"] == 3
    time.sleep(1.0)
    asked = {"scenario": "recommend", "user_id": "new", "k": 3, "context": {"new_only": False}}
    for _ in range(12):
        assert {int(item["item_id"][1:]) % 3 for item in ask_v1(served.url, asked)["items"]} == {0}


def test_a_killed_worker_loses_only_what_it_was_answering(served: Served) -> None:
    dead = min(served.workers)
    os.kill(dead, signal.SIGKILL)
    for _ in range(20):
        assert send(served.url, V1, GOOD)[0] == 200
    until(lambda: served.ready() == 3, STARTED_S)
    assert len(served.workers - {dead}) == 2


def test_the_end_loses_none_of_fifty_in_flight(store: Path, tmp_path: Path) -> None:
    one = Served(shutil.copytree(store, tmp_path / "store"))
    until(lambda: one.ready() == 2, STARTED_S)
    until(lambda: ready(one.url), STARTED_S)
    body = json.dumps({"instances": [{"scenario": "recommend", "user_id": "u07", "explain": True}] * 32}).encode()
    statuses: list[int] = []

    def ask() -> None:
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(one.url).netloc, timeout=30)
        connection.request("POST", V1, body, JSON)
        sent.release()
        answer = connection.getresponse()
        statuses.append(answer.status if len(json.loads(answer.read())["predictions"]) == 32 else 0)

    sent = threading.Semaphore(0)
    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    for _ in threads:
        sent.acquire()
    time.sleep(0.02)  # fifty take a fifth of a second on a machine that does nothing else
    one.process.send_signal(signal.SIGTERM)
    assert len(statuses) < 50
    for thread in threads:
        thread.join(30)
    assert statuses == [200] * 50
    assert one.process.wait(30) == 0
