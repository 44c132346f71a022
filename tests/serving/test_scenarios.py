"""Odd questions of every scenario to a real server on a real release: an answer, or a clear refusal; never a 5xx."""

import json
import math
from typing import Any

import pytest
from bazaar_release import ITEMS
from http_calls import V1, send

from components.deploy.trial import ask_v2
from serving.instances import MAX_K
from serving.queries import ADS, ASKED

PLAIN: dict[str, dict[str, Any]] = {
    "recommend": {"user_id": "u0000004"},
    "search": {"query": "purple lamp"},
    "similar": {"item_id": "i000001"},
    "bundle": {"item_ids": ["i000001", "i000007"]},
    "campaign": {"user_id": "u0000004"},
    "ads": {"user_id": "u0000004"},
}
TEXT_OF = {"search": "query", "similar": "item_id", "bundle": "item_ids"}  # where a customer's text goes; else the user
TEXTS = {
    "emoji": "🎧🛋️👩‍👩‍👧‍👦",
    "sql": "'; DROP TABLE items; -- \" OR 1=1",
    "chinese": "紫色台灯 送礼",
    "controls": "lamp\u0000\u202e\t\n",
    "markup": "<img src=x onerror=alert(1)>",
}
MORE: dict[str, dict[str, Any]] = {
    "as it should be": {},
    "unknown user": {"user_id": "nobody has seen me"},
    "empty slice of the catalogue": {"filters": {"category": "No > Such > Place"}},
    "empty slice by price": {"filters": {"price": [1e8, 1e9], "brand": "nobody's"}},
    "k beyond the catalogue": {"k": MAX_K},
    "only what is new": {"context": {"new_only": True}},
}
SERVED = pytest.mark.parametrize("scenario", ASKED)


def ask(url: str, instance: dict[str, Any]) -> tuple[int, Any]:
    """Status, and the prediction or the error."""
    status, answer = send(url, V1, json.dumps({"instances": [instance]}))
    return status, answer["predictions"][0] if status == 200 else answer["error"]


def answered(url: str, instance: dict[str, Any]) -> dict[str, Any]:
    """The prediction, which must be well formed."""
    status, answer = ask(url, instance | {"explain": True})
    assert status == 200, answer
    check(answer, instance.get("k", 10))
    return dict(answer)


def worded(scenario: str, text: str) -> dict[str, Any]:
    name = TEXT_OF.get(scenario, "user_id")
    return PLAIN[scenario] | {name: [text] if name == "item_ids" else text}


def check(prediction: dict[str, Any], k: int) -> None:
    """The answer has the form of the contract and stays within the catalogue."""
    assert set(prediction) >= {"items", "method", "release", "as_of", "degraded", "relaxed", "request_id"}
    items = prediction["items"]
    assert 0 < len(items) <= min(k, ITEMS)
    assert [item["position"] for item in items] == list(range(1, len(items) + 1))
    assert len({item["item_id"] for item in items}) == len(items)
    for item in items:
        assert math.isfinite(item["score"])
        assert sum(item["why"].values()) == pytest.approx(item["score"], abs=1e-5)


@SERVED
@pytest.mark.parametrize("case", MORE)
def test_an_odd_question_has_an_answer(bazaar_url: str, scenario: str, case: str) -> None:
    instance: dict[str, Any] = {"scenario": scenario} | PLAIN[scenario] | MORE[case]
    prediction = answered(bazaar_url, instance)
    if scenario != ADS:  # where what was shown once is shown less
        assert ask_v2(bazaar_url, instance | {"explain": True})["items"] == prediction["items"]
    gave_up = {"category"} if "slice of" in case else {"price", "brand"} if "slice" in case else set()
    assert set(prediction["relaxed"]) >= gave_up


@SERVED
@pytest.mark.parametrize("text", TEXTS)
def test_any_text_of_a_customer_has_an_answer(bazaar_url: str, scenario: str, text: str) -> None:
    answered(bazaar_url, {"scenario": scenario} | worded(scenario, TEXTS[text]))


@SERVED
def test_ten_thousand_characters_are_refused_and_the_field_is_named(bazaar_url: str, scenario: str) -> None:
    status, error = ask(bazaar_url, {"scenario": scenario} | worded(scenario, "台灯 lamp " * 1250))
    assert status == 400
    assert f"'{TEXT_OF.get(scenario, 'user_id')}" in error
    assert len(error) < 300
    assert ask(bazaar_url, {"scenario": scenario} | worded(scenario, "台灯 lamp " * 40_000))[0] == 413


@SERVED
def test_nothing_but_the_scenario_has_an_answer_or_a_word_of_what_is_missing(bazaar_url: str, scenario: str) -> None:
    status, answer = ask(bazaar_url, {"scenario": scenario, "explain": True})
    if status == 200:
        check(answer, 10)
    else:
        assert status == 400
        assert f"scenario '{scenario}' needs" in answer
