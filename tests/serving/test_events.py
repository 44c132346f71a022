"""What customers do, told over HTTP, and the answers that follow it."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from feast.data_source import PushMode
from http_calls import JSON, read, send

from components.common import columns as c
from components.common.identity import id_key, pseudonym
from components.common.moments import moment
from components.common.services import USER_BEHAVIOUR_PUSH
from components.deploy.trial import ask_v1, ask_v2, running_server
from serving.current import current_release
from serving.events import MAX_EVENTS
from serving.features import open_store
from serving.recent import RECENT_FILE, Event, Recent

ROUTE = "/v1/events"
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" "$0" && exec "$@"'
AGAIN = "send the same ones again once it can\n"
TELLS = """
import sys
from pathlib import Path
from types import SimpleNamespace
from serving.events import Events, Told, UnwrittenError
from serving.recent import Recent
events = Events(Recent(Path(sys.argv[1])), lambda: SimpleNamespace(as_of=1_800_000_000_000_000), b"k" * 32)
try:
    events.take([Told(event_id="e1", user_id="u", item_id="i", event="view")])
except UnwrittenError as error:
    print(error.status, error)
"""
WITHIN_S = 1.0


@pytest.fixture
def own(store: Path, tmp_path: Path) -> Path:
    """A store that the test may change."""
    return shutil.copytree(store, tmp_path / "store")


@contextmanager
def served(store: Path) -> Iterator[str]:
    release = current_release(store)
    assert release is not None
    with running_server(release, store, store.parent / "server.log") as url:
        yield url


def told(number: int, user: str, item: str, kind: str = "purchase", **more: Any) -> dict[str, Any]:
    return {"event_id": f"e{number}", "user_id": user, "item_id": item, "event": kind} | more


def tell(url: str, *events: dict[str, Any]) -> tuple[int, Any]:
    return send(url, ROUTE, json.dumps({"events": events}))


def groups(url: str, user: str) -> set[int]:
    """Which of the planted groups of items the user is recommended."""
    answer = ask_v1(url, {"scenario": "recommend", "user_id": user, "k": 3, "context": {"new_only": False}})
    assert answer["degraded"] == []
    return {int(item["item_id"][1:]) % 3 for item in answer["items"]}


def push(store: Path, user: str, items: list[str]) -> None:
    """Put a row of behaviour into the feature store, as Feast's own tools do."""
    at = json.loads((store / "watermark.json").read_text())["until"] + 1
    lists = {c.ITEM_IDS: items, c.LAST_AT: [at] * len(items), c.FIRST_AT: [at] * len(items)}
    row = {c.USER_ID: pseudonym(user, id_key(store)), c.EVENT_TIMESTAMP: moment(at), "events": len(items)}
    table = pd.DataFrame([row | lists | {c.COUNTS: [1.0] * len(items)}])
    open_store(store).push(USER_BEHAVIOUR_PUSH, table, to=PushMode.ONLINE)


def test_events_change_the_next_answer_and_outlive_the_server(own: Path) -> None:
    bought = [told(number, "newcomer", item) for number, item in enumerate(("i02", "i05", "i08"))]
    asked = {"scenario": "recommend", "user_id": "newcomer", "context": {"new_only": True}}
    with served(own) as url:
        anonymous = ask_v1(url, asked)["items"]
        started = time.monotonic()
        assert tell(url, *bought) == (200, {"accepted": 3, "repeated": 0, "late": 0})
        assert groups(url, "newcomer") == {2}
        assert time.monotonic() - started < WITHIN_S
        items = ask_v1(url, asked)["items"]
        assert items != anonymous
        assert ask_v2(url, asked)["items"] == items
        assert not {item["item_id"] for item in items} & {"i02", "i05", "i08"}  # what was bought is no discovery
        assert tell(url, *bought) == (200, {"accepted": 0, "repeated": 3, "late": 0})
        assert ask_v1(url, asked)["items"] == items
        push(own, "pushed", ["i00", "i03"])
        assert groups(url, "pushed") == {0}
    kept = (own / RECENT_FILE).read_bytes()
    assert b"newcomer" not in kept
    assert pseudonym("newcomer", id_key(own)).encode() in kept
    with served(own) as url:
        assert ask_v1(url, asked)["items"] == items
        assert tell(url, *bought)[1]["repeated"] == 3
        (own / RECENT_FILE).unlink()
        (own / RECENT_FILE).mkdir()
        status, answer = tell(url, told(9, "newcomer", "i01"))
        assert (status, "this server's store cannot be written" in answer["error"]) == (503, True)
        assert ask_v1(url, asked)["items"] == items


def test_a_store_that_is_mounted_read_only_is_said_to_be(tmp_path: Path) -> None:
    mounted = ["unshare", "-rm", "sh", "-c", READ_ONLY, str(tmp_path)]
    if subprocess.run([*mounted, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount: unshare -rm, mount -o remount,bind,ro")
    Recent(tmp_path).add([Event("e0", "u", "i", "purchase", 1)])  # a file of before
    before = (tmp_path / RECENT_FILE).read_bytes()
    told = subprocess.run([*mounted, sys.executable, "-c", TELLS, str(tmp_path)], capture_output=True, text=True)
    assert told.stdout == "503 this server's store cannot be written, so events are not kept; " + AGAIN, told.stderr
    assert (tmp_path / RECENT_FILE).read_bytes() == before


def test_a_click_counts_once_as_ours_or_not_and_a_late_one_not_at_all(own: Path) -> None:
    clicks = told(1, "u", "i01", "click", request_id="a" * 32), told(2, "u", "i01", "click")
    stands = json.loads((own / "watermark.json").read_text())["until"]
    late = told(3, "u", "i01", "click", timestamp=moment(stands).isoformat())
    with served(own) as url:
        for _ in range(2):
            assert tell(url, *clicks, late)[0] == 200
        assert [read(url)["cuvee_events_total", ("click", ours)] for ours in ("yes", "no")] == [1, 1]
        (own / RECENT_FILE).unlink()
        (own / RECENT_FILE).mkdir()
        for _ in range(2):
            assert tell(url, told(4, "u", "i02", "click", request_id="b" * 32))[0] == 503
        assert [read(url)["cuvee_events_total", ("click", ours)] for ours in ("yes", "no")] == [2, 1]


def test_events_before_the_features_are_late_and_those_ahead_are_refused(url: str, store: Path) -> None:
    stands = json.loads((store / "watermark.json").read_text())["until"]
    with_time = told(1, "late", "i01", timestamp=moment(stands).isoformat())
    assert tell(url, with_time) == (200, {"accepted": 0, "repeated": 0, "late": 1})
    status, answer = tell(url, told(2, "late", "i01", timestamp="2999-01-01"))
    assert status == 400
    assert "'events.0.timestamp' lies ahead of the server's clock" in answer["error"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "the body is a JSON object"),
        (b"[]", "the body is a JSON object"),
        (b"{}", "'events'"),
        (b'{"events": []}', "'events'"),
        (json.dumps({"events": [told(n, "u", "i01") for n in range(MAX_EVENTS + 1)]}).encode(), "'events'"),
        (json.dumps({"events": [told(1, "u", "i01", "sold")]}).encode(), "'events.0.event'"),
        (json.dumps({"events": [told(1, "u", "i" * 257)]}).encode(), "'events.0.item_id'"),
        (json.dumps({"events": [told(1, "u", "i01") | {"user_id": 7}]}).encode(), "'events.0.user_id'"),
        (json.dumps({"events": [told(1, "u", "i01", price=1)]}).encode(), "'events.0.price'"),
        (json.dumps({"events": [told(1, "u", "i01", timestamp="soon")]}).encode(), "'events.0.timestamp'"),
        (b'{"events": [{"event_id": "\\ud800"}]}', "the body is a JSON object"),
    ],
    ids=range(11),
)  # fmt: skip
def test_events_that_break_the_contract_are_400_and_none_is_kept(url: str, store: Path, body: bytes, said: str) -> None:
    status, answer = send(url, ROUTE, body)
    assert (status, said in answer["error"]) == (400, True)
    assert not (store / RECENT_FILE).exists()


def test_bounds_of_the_door_hold_here_too(url: str) -> None:
    assert send(url, ROUTE, b" " * (256 * 1024 + 1))[0] == 413
    assert send(url, ROUTE, b"{}", {"Content-Type": "text/plain"})[0] == 415
    assert send(url, ROUTE, None, {}, "GET")[0] == 405
    assert send(url, "/v1/models", None, {}, "GET") == (200, {"models": ["cuvee"]})


def test_the_route_is_in_the_description_of_the_server(url: str) -> None:
    status, described = send(url, "/openapi.json", None, JSON, "GET")
    assert status == 200
    asked = described["paths"][ROUTE]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert asked["properties"]["events"]["maxItems"] == MAX_EVENTS
