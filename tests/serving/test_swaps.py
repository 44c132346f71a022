"""A real server under steady load while its release is replaced, refused and rolled back: no request is lost."""

import http.client
import json
import resource
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from http_calls import JSON, V1, following, send, until
from key_pairs import key_pair, point, trust
from small_release import small_release

from components.deploy.publish import add, promote, publish
from serving.current import RELEASES, current_digest

CUSTOMERS, SWAPS = 4, 6
ROLLBACK_S = 5.0


class Customer(threading.Thread):
    """Asks again and again over one kept connection; what is not 200 stands in `lost`."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.over = url, threading.Event()
        self.seen: dict[str, int] = {}
        self.lost: list[str] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.url).netloc, timeout=30)
        body = json.dumps({"instances": [{"scenario": "recommend", "k": 3}]})
        while not self.over.is_set():
            try:
                connection.request("POST", V1, body, JSON)
                response = connection.getresponse()
                answer = json.load(response)
                release = answer["predictions"][0]["release"]
                self.seen[release] = self.seen.get(release, 0) + 1
            except (OSError, http.client.HTTPException, ValueError, LookupError) as error:
                self.lost.append(repr(error))
            time.sleep(0.002)


@pytest.fixture(scope="module")
def other_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same shop, other members: all of it has to be loaded."""
    return small_release(tmp_path_factory.mktemp("other"), lead=2.0, seed=3)


@pytest.fixture
def store(release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store whose server asks for a signature."""
    trust(monkeypatch, key_pair(tmp_path))
    publish(release, tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture
def url(store: Path, tmp_path: Path) -> Iterator[str]:
    """A server that follows the store."""
    with following(store, tmp_path / "log") as address:
        yield address


def health(url: str) -> dict[str, object]:
    """What the server says; nothing while it is not there."""
    try:
        said: dict[str, object] = send(url, "/v2/health", None, {}, "GET")[1]
    except OSError:
        return {}
    return said


def metric(url: str, name: str) -> float:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=30)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(name))


def test_no_request_is_lost_while_releases_come_are_refused_and_go(
    url: str, store: Path, other_release: Path, record_property: Callable[[str, object], None]
) -> None:
    first, second = str(current_digest(store)), add(other_release, store)
    customers = [Customer(url) for _ in range(CUSTOMERS)]
    for customer in customers:
        customer.start()
    try:
        for number in range(SWAPS):
            wanted = (second, first)[number % 2]
            promote(store, wanted)
            record_property(f"swap {number}, s", until(lambda: health(url)["release"] == wanted))  # noqa: B023
        promote(store, second)
        until(lambda: health(url)["release"] == second)
        refused_while_the_other_answers(url, store, first, second)
        rolled_back(url, store, first, record_property)
    finally:
        for customer in customers:
            customer.over.set()
        for customer in customers:
            customer.join(60)
    assert [lost for customer in customers for lost in customer.lost] == []
    seen = {digest: sum(customer.seen.get(digest, 0) for customer in customers) for digest in (first, second)}
    record_property("answers", seen)
    assert min(seen.values()) >= 10 * SWAPS
    assert metric(url, 'cuvee_http_requests_total{code="200"}') >= sum(seen.values())


def refused_while_the_other_answers(url: str, store: Path, first: str, second: str) -> None:
    """Damage the release that `current` is made to name: the server says so everywhere, and heals."""
    manifest = store / RELEASES / first / "fusion.json"
    whole = manifest.read_bytes()
    manifest.write_bytes(whole[:-1])
    point(store, first)  # `promote` would see the damage
    until(lambda: health(url)["refused"] == first)
    assert health(url) == {
        "release": second, "signed": True, "refused": first, "degraded": ["release"], "whole": False,
    }  # fmt: skip
    answer = send(url, V1)[1]["predictions"][0]
    assert (answer["release"], answer["degraded"]) == (second, ["release"])
    assert metric(url, "cuvee_release_refused") == metric(url, "cuvee_release_signed") == 1
    manifest.write_bytes(whole)
    promote(store, second)
    until(lambda: health(url)["whole"])
    assert metric(url, "cuvee_release_refused") == 0


def rolled_back(url: str, store: Path, wanted: str, note: Callable[[str, object], None]) -> None:
    """One command, and the release before answers within 5 s: of the command's own time, and of the server's."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [sys.executable, "-m", "pipelines.cli", "rollback", "--store", str(store)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stdout.strip() == wanted
    waited = until(lambda: health(url)["release"] == wanted)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    note("rollback, s by the clock", time.monotonic() - began)
    assert worked + waited < ROLLBACK_S
