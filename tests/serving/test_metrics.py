"""What the running server says of itself: the very names that alerts, dashboards and scaling ask for."""

import http.client
import json
import urllib.parse
from pathlib import Path

import pytest
from http_calls import V1, Read, read, send
from prometheus_client.parser import text_string_to_metric_families

from infra.checks.metrics import DERIVED, exported
from serving import metrics
from serving.drift import BINS


def asked(url: str, instance: dict[str, object], headers: dict[str, str] | None = None) -> tuple[Read, Read]:
    before = read(url)
    send(url, V1, json.dumps({"instances": [instance]}), headers)
    return before, read(url)


def risen(before: Read, after: Read, name: str, *labels: str) -> float:
    return after.get((name, labels), 0.0) - before.get((name, labels), 0.0)


def test_a_question_is_counted_timed_and_counted_as_whole(url: str) -> None:
    before, after = asked(url, {"scenario": "recommend"})
    assert risen(before, after, "cuvee_http_requests_total", "200") == 2  # the question, and the look before it
    assert risen(before, after, "cuvee_http_request_seconds_count") == 1
    assert 0 < risen(before, after, "cuvee_http_request_seconds_sum") < 5
    assert risen(before, after, "cuvee_answers_total", "no") == 1
    assert risen(before, after, "cuvee_answers_total", "yes") == 0


def test_what_was_missing_is_counted_by_its_name(url: str) -> None:
    before, after = asked(url, {"scenario": "similar", "item_id": "no such item"})
    assert risen(before, after, "cuvee_answers_total", "yes") == 1
    assert risen(before, after, "cuvee_answers_without_total", "unknown_item") == 1


def test_what_was_refused_is_counted_by_its_status(url: str) -> None:
    before, after = asked(url, {"scenario": "no such"})
    assert risen(before, after, "cuvee_http_requests_total", "400") == 1
    before, after = asked(url, {"scenario": "recommend"}, {"Content-Type": "text/plain"})
    assert risen(before, after, "cuvee_http_requests_total", "415") == 1
    assert risen(before, after, "cuvee_answers_total", "no") == 0


def test_a_question_falls_into_its_bins_and_a_list_is_shown(url: str) -> None:
    before, after = asked(url, {"scenario": "recommend", "user_id": "u07", "k": 3})
    for labels in (("recommend", "scenario"), ("5-19 items", "history"), ("all asked for", "found")):
        assert risen(before, after, "cuvee_questions_total", *labels) == 1
    assert risen(before, after, "cuvee_lists_total") == 1
    before, after = asked(url, {"scenario": "similar", "item_id": "no such item"})
    for labels in (("similar", "scenario"), ("unknown", "item")):
        assert risen(before, after, "cuvee_questions_total", *labels) == 1
    every = {(which, what) for what, each in BINS.items() for which in each}
    assert {labels for name, labels in after if name == "cuvee_questions_total"} == every


def test_the_shop_s_own_lists_are_shown_to_nobody(url: str) -> None:
    before = read(url)
    send(url, V1, json.dumps({"instances": [{"scenario": "recommend"}] * 17}))
    after = read(url)
    assert risen(before, after, "cuvee_answers_total", "no") == 17
    assert risen(before, after, "cuvee_lists_total") == 0
    assert risen(before, after, "cuvee_questions_total", "recommend", "scenario") == 0


def test_one_release_answers_and_its_features_have_a_date(url: str, store: Path) -> None:
    seen = read(url)
    releases = [labels for (name, labels), value in seen.items() if name == "cuvee_release_info" and value == 1]
    assert releases == [((store / "current").read_text().strip(),)]
    assert seen["cuvee_online_features_written_seconds", ()] == pytest.approx((store / "online.db").stat().st_mtime)


def test_without_online_features_their_date_is_zero(tmp_path: Path) -> None:
    written = metrics.watch(tmp_path)
    assert written() == 0
    (tmp_path / metrics.ONLINE_FILE).touch()
    assert written() > 0


def test_what_the_checks_of_infra_believe_is_exported_is_exported(url: str) -> None:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=30)
    connection.request("GET", "/metrics")
    families = {one.name: one.type for one in text_string_to_metric_families(connection.getresponse().read().decode())}
    real = {name + ending for name, kind in families.items() for ending in DERIVED.get(kind, ("",))}
    believed = {name for name in exported() if name != "up" and not name.startswith(("python_", "feast_"))}
    assert believed <= real
    assert {name for name in real if name.startswith("cuvee_") and not name.endswith("_created")} <= believed
