"""What runs, for whom, and what is answered: on six items, four campaigns and two users, to be read off."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from components.common import columns as c
from components.common.config import ShopConfig
from serving.arrays import Floats
from serving.blend import FEATURES, Blend, Fusion, TaskFusion
from serving.campaigns import NOBODY, Campaigns, at
from serving.catalogue import Catalogue
from serving.engine import Engine
from serving.instances import parse
from serving.members.base import Member
from serving.queries import SCENARIOS, Queries
from serving.states import UserStates

NOW, HOUR = 1_700_000_000_000_000, 3_600_000_000


class Planted(Member):
    """Likes i5 best, then i4, ..."""

    family = "cf"
    scenarios = frozenset(SCENARIOS)
    kind = name = "planted"

    @classmethod
    def load(cls, _folder: Path, _catalogue: Catalogue) -> "Planted":
        return cls()

    def score_all(self, queries: Queries) -> Floats:
        return np.tile(np.arange(6, dtype=np.float32), (len(queries), 1))


class Port:
    """Everybody has met i4."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    def states(self, user_ids: Sequence[str], as_of: int | None) -> UserStates:
        row = {"item_ids": ["i4"], "last_at": [1], "first_at": [1], "counts": [1.0]}
        return UserStates.from_rows(user_ids, [row] * len(user_ids), np.full(len(user_ids), as_of or 0), self.catalogue)


def raw() -> pd.DataFrame:
    """`all` is for everybody, `some` for u, `over` has ended this moment, `paid` is an ad; `ghost` is not sold."""
    rows = [
        ("all", "i0", -HOUR, 2 * HOUR, None), ("all", "i4", -HOUR, 2 * HOUR, None),
        ("some", "i4", 0, HOUR, "promotion"), ("some", "i3", 0, HOUR, "promotion"),
        ("over", "i5", -HOUR, 0, "promotion"), ("later", "i2", HOUR, 2 * HOUR, "promotion"),
        ("paid", "i5", -HOUR, HOUR, "ad"), ("all", "ghost", -HOUR, HOUR, None),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=[c.CAMPAIGN_ID, c.ITEM_ID, c.STARTS_AT, c.ENDS_AT, c.KIND])
    for name in (c.STARTS_AT, c.ENDS_AT):
        table[name] = pd.to_datetime(table[name] + NOW, unit="us", utc=True).astype("datetime64[us, UTC]")
    return table


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    items = pd.DataFrame(
        {"item_id": [f"i{n}" for n in range(6)], "title": "", "description": "", "category": "", "brand": "",
         "price": 1.0, "price_norm": np.float32(0), "available": True, "created_at": pd.NaT, "attributes": "{}"}
    )  # fmt: skip
    weights = (tuple(1.0 if name == "value" else 0.0 for name in FEATURES),)
    task = TaskFusion(chosen="even", methods={"even": Blend(kind="even", members=("planted",), weights=weights)})
    tasks = dict.fromkeys(("discovery", "next_basket", "search"), task)
    engine = Engine(Catalogue(items), ShopConfig(), {"planted": Planted()}, Fusion(tasks=tasks))
    raw().to_parquet(tmp_path / "campaigns.parquet", index=False)
    pd.DataFrame({c.CAMPAIGN_ID: ["some", "over"], c.USER_ID: ["u", "u"]}).to_parquet(tmp_path / "users.parquet")
    engine.campaigns = Campaigns.load(tmp_path, engine.catalogue).meant_for(tmp_path / "users.parquet")
    return engine


def ask(engine: Engine, **more: Any) -> dict[str, Any]:
    return engine.answer([parse({"scenario": "campaign"} | more)], Port(engine.catalogue), NOW)[0]


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["item_id"] for item in answer["items"]]


def test_a_user_gets_what_runs_for_everybody_and_for_the_user(engine: Engine) -> None:
    answer = ask(engine, user_id="u")
    assert ids(answer) == ["i4", "i3", "i0"]
    assert [item["campaign_ids"] for item in answer["items"]] == [["some", "all"], ["some"], ["all"]]
    assert ids(ask(engine, user_id="v")) == ["i4", "i0"]
    assert answer["degraded"] == []


def test_one_campaign_can_be_asked_for_whoever_it_is_meant_for(engine: Engine) -> None:
    assert ids(ask(engine, user_id="v", campaign_id="some")) == ["i4", "i3"]
    assert ids(ask(engine, user_id="u", campaign_id="all", k=1)) == ["i4"]


def test_new_items_only(engine: Engine) -> None:
    assert ids(ask(engine, user_id="u", context={"new_only": True})) == ["i3", "i0"]


def test_what_is_over_or_not_yet_there_offers_nothing_and_an_ad_is_no_promotion(engine: Engine) -> None:
    for name, told in (("over", "no_campaign"), ("later", "no_campaign"), ("paid", "unknown_campaign")):
        answer = ask(engine, user_id="u", campaign_id=name)
        assert (ids(answer), answer["degraded"]) == ([], [told])
    assert len(at(engine.campaigns.promotions, NOW + HOUR)) == 3
    nothing = engine.answer([parse({"scenario": "campaign", "user_id": "u"})], Port(engine.catalogue), NOW + 9 * HOUR)[
        0
    ]
    assert (ids(nothing), nothing["degraded"]) == ([], ["no_campaign"])


def test_nothing_outside_of_the_campaign_fills_the_page(engine: Engine) -> None:
    answer = ask(engine, user_id="u", campaign_id="some", filters={"price": [5, 9]})
    assert ids(answer) == ["i4", "i3"]
    assert answer["relaxed"] == ["price"]


def test_others_in_the_batch_are_not_restricted(engine: Engine) -> None:
    asked = [parse({"scenario": "campaign", "user_id": "v"}), parse({"scenario": "recommend", "user_id": "v"})]
    first, second = engine.answer(asked, Port(engine.catalogue), NOW)
    assert ids(first) == ["i4", "i0"]
    assert ids(second) == ["i5", "i3", "i2", "i1", "i0"]


def test_a_release_without_campaigns_does_not_serve_them(engine: Engine, tmp_path: Path) -> None:
    assert engine.serves("campaign")
    engine.campaigns = Campaigns.load(tmp_path / "nowhere", engine.catalogue)
    assert len(engine.campaigns) == 0
    assert not engine.serves("campaign")
    assert Campaigns(engine.campaigns.offers, NOBODY).targets == {}


def test_new_items_of_campaigns_are_ranked_by_a_blend_of_their_own_where_there_is_one(engine: Engine) -> None:
    assert engine.fusion is not None
    tasks = engine.fusion.tasks
    against = tuple(-1.0 if name == "value" else 0.0 for name in FEATURES)
    own = TaskFusion(chosen="own", methods={"own": Blend(kind="own", members=("planted",), weights=(against,))})
    engine.fusion = Fusion(tasks=tasks | {"campaign": own})
    new = ask(engine, user_id="u", context={"new_only": True})
    assert (ids(new), new["method"]) == (["i0", "i3"], "own")
    every = ask(engine, user_id="u")
    assert (ids(every), every["method"]) == (["i4", "i3", "i0"], "even")
    assert engine.blended("recommend", "discovery") == "discovery"
