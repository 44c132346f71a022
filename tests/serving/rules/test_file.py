"""The live rules: taken when they change, kept when what stands there cannot be read."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_release import small_release

from components.deploy.publish import publish
from components.deploy.trial import ask_v1, running_server
from serving.follower import Follower
from serving.live import Live
from serving.rules.file import RulesFile

PIN = "rules:\n  - {{name: window, action: pin, position: 1, items: 'item_id == \"{}\"'}}\n"
BROKEN = "rules:\n  - {name: window, action: pin, position: 1,\n     items: 'item_id = 3'}\n"
LINE = "line 3: rule 'window': 'items': illegal character"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(PIN.format("i14"))
    return path


def test_a_file_is_read_when_it_changes_and_only_then(path: Path) -> None:
    file = RulesFile(path)
    assert file.rules is not None
    assert (file.rules.rules[0].name, file.refused) == ("window", False)
    assert not file.look()
    path.write_text("rules: []")
    assert file.look()
    assert file.rules.rules == ()


def test_a_broken_file_is_refused_once_with_its_line_and_the_old_set_stays(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = RulesFile(path)
    path.write_text(BROKEN)
    assert file.look()
    assert file.rules is not None
    assert (file.rules.rules[0].name, file.refused) == ("window", True)
    assert not file.look()
    assert sum(LINE in record.message for record in caplog.records if record.levelno == logging.ERROR) == 1
    path.write_text(PIN.format("i14"))
    assert file.look()
    assert not file.refused


def test_a_file_that_goes_or_never_was_is_named(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = RulesFile(path)
    path.unlink()
    assert file.look()
    assert file.refused
    assert file.rules is not None
    never = RulesFile(path)
    assert (never.rules, never.refused) == (None, True)
    assert "there is no such file" in caplog.text


def ask(url: str) -> dict[str, Any]:
    return ask_v1(url, {"scenario": "recommend", "user_id": "u07", "k": 3, "explain": True})


def first(answer: dict[str, Any]) -> str:
    return str(answer["items"][0]["item_id"])


def until(url: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Ask until the answer is as wanted, for at most ten seconds."""
    for _ in range(100):
        answer = ask(url)
        if holds(answer):
            return answer
        time.sleep(0.1)
    raise AssertionError(f"found {answer}")


def test_a_server_follows_its_rules_while_it_serves(release: Path, store: Path, path: Path, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with running_server(release, store, log, rules=path) as url:
        assert ask(url)["items"][0]["why"]["rule:window"] == 0.0
        assert first(ask(url)) == "i14"
        path.write_text(PIN.format("i11"))
        until(url, lambda answer: first(answer) == "i11")
        path.write_text(BROKEN)
        assert first(until(url, lambda answer: answer["degraded"] == ["rules"])) == "i11"
        path.write_text("rules: []")
        plain = until(url, lambda answer: answer["degraded"] == [])
        assert all("rule:window" not in item["why"] for item in plain["items"])
    assert LINE in log.read_text()


def test_a_server_whose_rules_are_broken_from_the_start_answers_by_those_of_its_release(
    release: Path, store: Path, path: Path
) -> None:
    path.write_text(BROKEN)
    live = Live.load(release, store, "release")
    served = live.following(RulesFile(path))
    assert served.engine.rules == live.engine.rules
    assert served.engine.degraded == ("rules",)


def test_a_new_release_is_followed_by_the_same_rules(release: Path, store: Path, path: Path, tmp_path: Path) -> None:
    served: list[Live] = []
    own_store = tmp_path / "store"
    publish(release, own_store)
    follower = Follower(own_store, Live.load(release, store, "release"), served.append, rules=RulesFile(path))
    follower.look()
    assert served == []
    digest = publish(small_release(tmp_path / "other", lead=2.0), own_store)
    follower.look()
    path.write_text("rules: []")
    follower.look()
    names = [[rule.name for rule in live.engine.rules.rules] for live in served]
    assert names == [["unavailable", "seen", "substitutes", "window"], ["unavailable", "seen", "substitutes"]]
    assert {live.digest for live in served} == {digest}


def test_a_release_that_is_not_followed_has_rules_that_are(release: Path, store: Path, path: Path) -> None:
    served: list[Live] = []
    live = Live.load(release, store, "release")
    follower = Follower(store, live, served.append, rules=RulesFile(path), releases=False)
    path.write_text("rules: []")
    follower.look()
    assert [one.engine.rules for one in served] == [live.engine.rules]
