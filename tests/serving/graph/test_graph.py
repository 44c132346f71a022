"""The graph under KServe's routing: the answers of the single server, and 200 whatever happens to a part."""

import base64
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from graph_here import PARTS, graph, posted, steps_here
from kserve_router import Router

from components.common.identity import id_key
from serving.arrays import Floats
from serving.current import current_release
from serving.deadline import Split
from serving.graph.question import standing_in
from serving.graph.wire import packed
from serving.live import Live
from serving.members import kinds as kinds_of_members
from serving.members import member_class
from serving.model import CuveeModel
from serving.queries import Queries

Json = dict[str, Any]
REQUESTS = 500
PATIENT = Split(30.0)  # what is asked here is who says what, not how soon
VARYING = {"request_id"}


class Both:
    """The single server and the graph over one release, each with an engine of its own."""

    def __init__(self, store: Path, down: dict[str, Any] | None = None) -> None:
        release = current_release(store)
        assert release is not None
        self.single = CuveeModel(Live.load(release, store, "release"), id_key(store), PATIENT)
        live = Live.load(release, store, "release")
        self.down: dict[str, Any] = down or {}
        self.router = Router(graph(), steps_here(live, release, id_key(store), self.down))
        self.live = live

    def alone(self, body: Json) -> tuple[int, Json]:
        status, told = posted(self.single, json.dumps(body).encode())
        return status, json.loads(told)

    def together(self, body: Json) -> tuple[int, Json]:
        status, told = self.router.answer(json.dumps(body).encode())
        return status, json.loads(told)


@pytest.fixture(scope="module")
def both(bazaar: Path) -> Both:
    return Both(bazaar)


class Customers:
    """Requests of every kind, drawn from the shop's own users, items, queries and photos."""

    def __init__(self, shop: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.items = pd.read_parquet(shop / "items.parquet")
        self.users = pd.read_parquet(shop / "users.parquet")["user_id"].astype(str).tolist()
        events = pd.read_parquet(shop / "events.parquet")
        self.queries = [str(query) for query in events["query"].dropna().unique()]
        self.photos = [shop / str(image) for image in self.items["image"].dropna()]

    def request(self) -> Json:
        return {"instances": [self.instance() for _ in range(self.random.choice((1, 1, 1, 2, 4)))]}

    def instance(self) -> Json:
        draw = self.random
        scenario = draw.choice(("recommend", "recommend", "search", "search", "similar", "bundle", "campaign", "ads"))
        asked: Json = {"scenario": scenario, "k": draw.choice((1, 3, 10, 50)), "explain": draw.random() < 0.5}
        asked |= getattr(self, f"_{scenario}")()
        if draw.random() < 0.3:
            asked["filters"] = self._filters()
        if draw.random() < 0.1:
            asked["weights"] = {draw.choice(("popularity", "item_knn", "tfidf")): draw.choice((0.0, 2.5))}
        if draw.random() < 0.2 and "user_id" in asked:
            asked["context"] = asked.get("context", {}) | {"new_only": draw.random() < 0.7}
        return asked

    def _user(self) -> Json:
        return {"user_id": self.random.choice([*self.users, "nobody"])} if self.random.random() < 0.8 else {}

    def _item(self) -> str:
        return str(self.random.choice([*self.items["item_id"].astype(str), "gone"]))

    def _recommend(self) -> Json:
        viewed = {"context": {"viewed": [self._item(), self._item()]}} if self.random.random() < 0.3 else {}
        return self._user() | viewed

    def _search(self) -> Json:
        if self.random.random() < 0.15:
            return self._user() | {"image_b64": self._photo()}
        return self._user() | {"query": self.random.choice([*self.queries, "zzz", "garden blu", "😀"])}

    def _similar(self) -> Json:
        return {"image_b64": self._photo()} if self.random.random() < 0.2 else {"item_id": self._item()}

    def _bundle(self) -> Json:
        return {"item_ids": [self._item() for _ in range(self.random.randint(1, 4))]}

    def _campaign(self) -> Json:
        return self.random.choice([{"campaign_id": "new-year"}, {"user_id": self.random.choice(self.users)}])

    def _ads(self) -> Json:
        query = {"query": self.random.choice(self.queries)} if self.random.random() < 0.5 else {}
        return {"user_id": self.random.choice(self.users), "k": 20} | query

    def _photo(self) -> str:
        return base64.b64encode(self.random.choice(self.photos).read_bytes()).decode()

    def _filters(self) -> Json:
        row = self.items.iloc[self.random.randrange(len(self.items))]
        own = {"category": str(row["category"]), "brand": str(row["brand"]), "available": True}
        own["price"] = self.random.choice(([0.0, 5.0], [1e6, 1e7], [0.0, 1e6]))
        names = self.random.sample(sorted(own), self.random.randint(1, 3))
        return {name: own[name] for name in names if own[name] not in ("None", "nan")}


def assert_alike(one: Any, other: Any, place: str = "") -> None:
    """Equal but for what is drawn anew; numbers within 1e-6."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), place
        for name in one.keys() - VARYING:
            assert_alike(one[name], other[name], f"{place}.{name}")
    elif isinstance(one, list):
        assert len(one) == len(other), place
        for number, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            assert_alike(mine, theirs, f"{place}[{number}]")
    elif isinstance(one, float):
        assert one == pytest.approx(other, abs=1e-6), place
    else:
        assert one == other, place


def test_the_graph_answers_what_the_single_server_answers(both: Both, bazaar: Path) -> None:
    customers = Customers(bazaar.parent / "shop", seed=7)
    seen: dict[str, int] = {}
    for _ in range(REQUESTS):
        body = customers.request()
        (status, alone), (routed, together) = both.alone(body), both.together(body)
        assert (status, routed) == (200, 200), (alone, together)
        assert_alike(alone, together, json.dumps(body)[:300])
        for instance, answer in zip(body["instances"], together["predictions"], strict=True):
            if answer.get("items") or answer.get("users"):
                seen[instance["scenario"]] = seen.get(instance["scenario"], 0) + 1
            seen["relaxed"] = seen.get("relaxed", 0) + bool(answer["relaxed"])
            seen["ads"] = seen.get("ads", 0) + any("ad" in item for item in answer["items"])
    assert all(seen.get(name, 0) >= 20 for name in ("recommend", "search", "similar", "bundle", "ads", "relaxed")), seen


LOST = {"cf": ["item_knn"], "text": ["image", "lexical", "tfidf"], "rules": ["complements", "substitutes"]}


@pytest.mark.parametrize("part", sorted(LOST))
@pytest.mark.parametrize("said", ["late", "another release", "another question", "half of it", "a wrong shape"])
def test_a_part_that_says_nothing_useful_is_missed_and_named(both: Both, part: str, said: str) -> None:
    packed_row = packed(np.zeros((1, 3), dtype=np.float32))
    told: dict[str, Json] = {
        "late": {"not_scored": "late"},
        "another release": {"release": "0" * 64, "scores": "[]"},
        "another question": {"id": "other", "scores": "[]"},
        "half of it": {"scores": "[]"},
        "a wrong shape": {"scores": json.dumps([dict.fromkeys(LOST[part], packed_row)] * 2)},
    }
    body = {
        "instances": [
            {"scenario": "similar", "item_id": "i000003"},
            {"scenario": "recommend", "user_id": "u0000004", "explain": True},
        ]
    }
    _, whole = both.together(body)
    both.down[part] = told[said]
    try:
        status, answer = both.together(body)
    finally:
        both.down.clear()
    assert status == 200
    for one, full in zip(answer["predictions"], whole["predictions"], strict=True):
        spoke = {name for item in full["items"] for name in item.get("why", {})} & set(LOST[part])
        assert len(one["items"]) == 10
        assert set(one["degraded"]) <= {f"member:{name}" for name in LOST[part]}
        assert {f"member:{name}" for name in spoke} <= set(one["degraded"])
    assert any(one["degraded"] for one in answer["predictions"])
    assert all(not one["degraded"] for one in whole["predictions"])


def test_what_is_missed_is_missed_as_in_the_single_server(both: Both, bazaar: Path) -> None:
    """The graph without a part answers as the single server whose members of that part fail."""
    customers = Customers(bazaar.parent / "shop", seed=3)
    single = CuveeModel(both.single.live, id_key(bazaar), PATIENT)  # its own, since its breakers will be open
    engine = single.live.engine
    members = engine.members
    engine.members = dict(members)
    for name in LOST["text"]:
        engine.members[name] = standing_in(members[name], _broken)
    both.down["text"] = {"not_scored": "down"}
    try:
        for _ in range(30):
            body = customers.request()
            alone, together = posted(single, json.dumps(body).encode()), both.together(body)
            assert alone[0] == together[0] == 200
            assert_alike(json.loads(alone[1]), together[1], json.dumps(body)[:300])
    finally:
        engine.members = members
        both.down.clear()


def _broken(_queries: Queries) -> Floats:
    raise RuntimeError("planted")


def test_all_parts_down_is_still_an_answer(both: Both) -> None:
    both.down |= {part: {"not_scored": "down"} for part in PARTS}
    try:
        status, answer = both.together({"instances": [{"scenario": "recommend", "user_id": "u0000004"}]})
    finally:
        both.down.clear()
    assert status == 200
    assert answer["predictions"][0]["items"] == []
    assert len(answer["predictions"][0]["degraded"]) > 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"instances": []},
        {"instances": [{"scenario": "nonsense"}]},
        {"instances": [{"scenario": "recommend", "k": 0}]},
        {"instances": [{"scenario": "recommend", "weights": {"nobody": 1.0}}]},
    ],
)
def test_what_cannot_be_asked_is_refused_by_the_first_step(both: Both, body: Json) -> None:
    (status, alone), (routed, together) = both.alone(body), both.together(body)
    assert (status, alone) == (routed, together)
    assert routed == 400


def test_a_question_of_another_release_is_answered_alone_and_says_so(both: Both) -> None:
    body = json.dumps({"instances": [{"scenario": "recommend", "user_id": "u0000004", "k": 3}]}).encode()
    call = both.router._call
    asked = json.loads(call("/ask:predict", body)[1]) | {"release": "0" * 64}
    status, answer = call("/combine:predict", json.dumps({"question": asked}).encode())
    prediction = json.loads(answer)["predictions"][0]
    assert status == 200
    assert len(prediction["items"]) == 3
    assert prediction["degraded"] == ["graph"]


def test_members_do_not_learn_who_asks(both: Both) -> None:
    body = {"instances": [{"scenario": "recommend", "user_id": "u0000004"}]}
    asked = json.loads(both.router._call("/ask:predict", json.dumps(body).encode())[1])
    known = json.loads(asked["question"])["instances"][0]["user_id"]
    assert known != "u0000004"
    assert known not in asked["members"]
    assert "u0000004" not in json.dumps(asked)


def test_the_manifest_and_the_parts_agree() -> None:
    told = graph()["spec"]["nodes"]["members"]["steps"]
    assert [step["name"] for step in told] == ["question", *PARTS]
    kinds = {member_class(kind).family for kind in kinds_of_members()}
    assert kinds == set(PARTS)
