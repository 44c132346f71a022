import base64
import contextlib
import math
import random
from typing import Any

import pytest

from serving.instances import MAX_INSTANCES, MAX_PHOTO_BYTES, Instance, RequestError, parse, parse_all, parse_json

GOOD: list[dict[str, Any]] = [
    {"scenario": "recommend"},
    {"scenario": "recommend", "user_id": "208", "k": 200, "explain": True, "context": {"new_only": False}},
    {"scenario": "search", "query": "x" * 512, "user_id": "208"},
    {"scenario": "search", "query": "绿茶"},
    {"scenario": "similar", "item_id": "i1", "filters": {"category": "a > b", "brand": "c", "available": True}},
    {"scenario": "bundle", "item_ids": ["i"] * 50, "filters": {"price": [0, 9.5]}},
    {"scenario": "recommend", "weights": {"als": 2, "text": -0.5}},
    {"scenario": "similar", "image_b64": "AAAA"},
    {"scenario": "search", "image_b64": "AAAA"},
    {"scenario": "search", "query": "red", "image_b64": base64.b64encode(bytes(MAX_PHOTO_BYTES)).decode()},
]
BAD: list[tuple[Any, str]] = [
    (5, "JSON object"),
    ([], "JSON object"),
    ({}, "'scenario'"),
    ({"scenario": "buy"}, "'scenario'"),
    ({"scenario": ["recommend"]}, "'scenario'"),
    ({"scenario": "campaign"}, "scenario 'campaign' needs 'user_id', 'campaign_id' or both"),
    ({"scenario": "campaign", "user_id": "1", "query": "tea"}, "'query' belongs to scenario 'search'"),
    ({"scenario": "recommend", "campaign_id": "1"}, "'campaign_id' belongs to scenario 'campaign'"),
    ({"scenario": "ads"}, "scenario 'ads' needs 'user_id' or 'query'"),
    ({"scenario": "ads", "query": " "}, "scenario 'ads' needs 'user_id' or 'query'"),
    ({"scenario": "recommend", "usr_id": "1", "kk": 2}, "unknown fields 'usr_id', 'kk'"),
    ({"scenario": "recommend", "filters": {"colour": "red"}}, "unknown field 'filters.colour'"),
    ({"scenario": "recommend", "context": {"as_of": 1}}, "unknown field 'context.as_of'"),
    ({"scenario": "recommend", "context": {"viewed": "i1"}}, "context.viewed"),
    ({"scenario": "recommend", "context": {"viewed": [1]}}, "context.viewed"),
    ({"scenario": "recommend", "context": {"viewed": ["i"] * 51}}, "context.viewed"),
    ({"scenario": "similar", "item_id": "i", "context": {"viewed": ["i"]}}, "belongs to scenario 'recommend'"),
    ({"scenario": "recommend", "user_id": 208}, "'user_id'"),
    ({"scenario": "recommend", "user_id": "x" * 257}, "'user_id'"),
    ({"scenario": "recommend", "k": 0}, "'k'"),
    ({"scenario": "recommend", "k": 201}, "'k'"),
    ({"scenario": "recommend", "k": "10"}, "'k'"),
    ({"scenario": "recommend", "k": True}, "'k'"),
    ({"scenario": "recommend", "k": 10**400}, "'k'"),
    ({"scenario": "recommend", "explain": 1}, "'explain'"),
    ({"scenario": "search"}, "needs 'query'"),
    ({"scenario": "search", "query": "  "}, "needs 'query'"),
    ({"scenario": "search", "query": "x" * 513}, "'query'"),
    ({"scenario": "similar", "query": "tea", "item_id": "i"}, "'query' belongs to scenario 'search'"),
    ({"scenario": "similar"}, "needs 'item_id'"),
    ({"scenario": "bundle", "item_ids": []}, "needs 'item_ids'"),
    ({"scenario": "bundle", "item_ids": ["i"] * 51}, "'item_ids'"),
    ({"scenario": "bundle", "item_ids": "i1"}, "'item_ids'"),
    ({"scenario": "recommend", "filters": {"price": [2, 1]}}, "lo <= hi"),
    ({"scenario": "recommend", "filters": {"price": [1]}}, "filters.price"),
    ({"scenario": "recommend", "filters": {"price": [0, math.inf]}}, "filters.price"),
    ({"scenario": "recommend", "weights": {"als": math.nan}}, "weights.als"),
    ({"scenario": "recommend", "weights": {"als": 1e300}}, "weights.als"),
    ({"scenario": "recommend", "weights": {"als": 10**400}}, "weights.als"),
    ({"scenario": "recommend", "weights": {"als": True}}, "weights.als"),
    ({"scenario": "recommend", "weights": {f"m{i}": 1 for i in range(65)}}, "weights"),
    ({"scenario": "recommend", "image_b64": "AAAA"}, "'image_b64' belongs to scenario search or similar"),
    ({"scenario": "bundle", "item_ids": ["i"], "image_b64": "AAAA"}, "'image_b64' belongs to scenario"),
    ({"scenario": "similar", "item_id": "i", "image_b64": "AAAA"}, "not both"),
    ({"scenario": "similar", "image_b64": ""}, "image_b64"),
    ({"scenario": "similar", "image_b64": "no base64!"}, "'image_b64': expected base64 of a JPEG"),
    ({"scenario": "similar", "image_b64": "中"}, "image_b64"),
    ({"scenario": "similar", "image_b64": base64.b64encode(bytes(MAX_PHOTO_BYTES + 1)).decode()}, "at most 180 KiB"),
]


@pytest.mark.parametrize("raw", GOOD)
def test_a_question_within_bounds_is_taken_as_it_is(raw: dict[str, Any]) -> None:
    parsed = parse(raw)
    assert parsed.scenario == raw["scenario"]
    assert parsed.k == raw.get("k", 10)
    assert list(parsed.item_ids) == raw.get("item_ids", [])
    assert dict(parsed.filters) == raw.get("filters", {})
    assert parsed.explain is raw.get("explain", False)


@pytest.mark.parametrize(("raw", "said"), BAD, ids=range(len(BAD)))
def test_a_question_out_of_bounds_is_refused_by_name(raw: Any, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse(raw)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 500


def test_values_are_never_repeated_in_a_message() -> None:
    with pytest.raises(RequestError) as caught:
        parse({"scenario": "recommend", "user_id": "secret@example.org" * 20, "k": "secret@example.org"})
    assert "secret" not in str(caught.value)


def test_an_instance_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        setattr(Instance(scenario="recommend"), "k", 5)  # noqa: B010  (mypy knows it is read-only)


def test_the_number_of_the_offending_instance_is_named() -> None:
    with pytest.raises(RequestError, match=r"instances\[1\]: .*'k'"):
        parse_all([{"scenario": "recommend"}, {"scenario": "recommend", "k": -1}])


@pytest.mark.parametrize("raw", [None, {}, [], "x", [{"scenario": "recommend"}] * (MAX_INSTANCES + 1)])
def test_a_request_holds_one_to_many_instances(raw: Any) -> None:
    with pytest.raises(RequestError, match="instances"):
        parse_all(raw)


@pytest.mark.parametrize("text", [5, None, "{", '{"k": NaN}', '{"q": "\\ud800"}', "[" * 100_000, b"\xff"])
def test_an_element_that_is_not_json_is_refused(text: Any) -> None:
    with pytest.raises(RequestError):
        parse_json(text)


def test_whatever_comes_is_taken_or_refused_never_a_crash() -> None:
    rng = random.Random(0)
    values: list[Any] = [None, True, -1, 0, 5, 1e308, "", "x", "x" * 600, [], ["a"], [1, 2], {}, {"price": [1, 2]}]
    values += ["recommend", "search", "similar", "bundle", {"new_only": True}, {"a": 1.0}, [[]], {"": None}, "\x00"]
    names = [*Instance.model_fields, "other"]
    for _ in range(3000):
        raw = {name: rng.choice(values) for name in rng.sample(names, rng.randint(0, 6))}
        raw["scenario"] = rng.choice(["recommend", "search", "similar", "bundle", 1])
        with contextlib.suppress(RequestError):
            assert isinstance(parse(raw), Instance)
