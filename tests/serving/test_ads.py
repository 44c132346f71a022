"""Ads on sixteen items whose order, clicks and prices can be worked out by hand."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from components.common import columns as c
from components.common.config import ShopConfig
from components.common.errors import ReleaseError
from components.common.files import write_json
from components.common.moments import DAY
from serving.ads import CAP, EVERY, RESERVE, ClickModel, Shown, Sold, auction
from serving.arrays import Floats
from serving.blend import FEATURES, Blend, Fusion, TaskFusion
from serving.campaigns import AD, COLUMNS, NOBODY, Campaigns
from serving.catalogue import Catalogue
from serving.engine import Engine
from serving.instances import parse
from serving.members.base import Member
from serving.queries import SCENARIOS, Queries
from serving.states import UserStates

NOW, N = 1_700_000_000_000_000, 16
MODEL = ClickModel(
    members=("planted",), means=(5.5,), scales=(1.0,), weights=(0.0,), missing=(0.0,), intercept=0.0, seen=0.2
)  # every ad is clicked one time in ten


class Planted(Member):
    """Likes i15 best, then i14, ...; for a query the even items alone."""

    family = "cf"
    scenarios = frozenset(SCENARIOS)
    kind = name = "planted"

    @classmethod
    def load(cls, _folder: Path, _catalogue: Catalogue) -> "Planted":
        return cls()

    def score_all(self, queries: Queries) -> Floats:
        scores = np.tile(np.arange(N, dtype=np.float32), (len(queries), 1))
        if queries.texts:
            scores[:, 1::2] = np.nan
        return scores


class Port:
    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    def states(self, user_ids: Sequence[str], as_of: int | None) -> UserStates:
        return UserStates.from_rows(
            user_ids, [None] * len(user_ids), np.full(len(user_ids), as_of or 0), self.catalogue
        )


def engine_with(*ads: tuple[str, int, float], model: ClickModel | None = MODEL) -> Engine:
    """Each ad: campaign, catalogue row, bid; item i3 is not for sale."""
    items = pd.DataFrame(
        {"item_id": [f"i{n}" for n in range(N)], "title": "", "description": "", "category": "", "brand": "",
         "price": np.arange(1.0, N + 1), "price_norm": np.float32(0), "available": np.arange(N) != 3,
         "created_at": pd.NaT, "attributes": "{}"}
    )  # fmt: skip
    weights = (tuple(1.0 if name == "value" else 0.0 for name in FEATURES),)
    task = TaskFusion(chosen="even", methods={"even": Blend(kind="even", members=("planted",), weights=weights)})
    fusion = Fusion(tasks=dict.fromkeys(("discovery", "next_basket", "search"), task))
    engine = Engine(Catalogue(items), ShopConfig(), {"planted": Planted()}, fusion)
    rows = [(name, row, NOW - DAY, NOW + DAY, True, bid) for name, row, bid in ads]
    engine.campaigns = Campaigns(pd.DataFrame(rows, columns=list(COLUMNS)), NOBODY)
    engine.click_model = model
    return engine


def ask(engine: Engine, as_of: int = NOW, **more: Any) -> list[dict[str, Any]]:
    asked = parse({"scenario": "ads", "user_id": "u", "explain": True} | more)
    found: list[dict[str, Any]] = engine.answer([asked], Port(engine.catalogue), as_of)[0]["items"]
    return found


def shape(found: list[dict[str, Any]]) -> str:
    return " ".join(("*" if "ad" in item else "") + item["item_id"][1:] for item in found)


class TestAuction:
    def test_the_next_one_sets_the_price(self) -> None:
        """Worth .1 x .5, .2 x .2, .05 x .6: the first pays .04 / .1, the second .03 / .2."""
        sold = auction(np.array([0.1, 0.2, 0.05]), np.array([0.5, 0.2, 0.6]), 2)
        assert [one.place for one in sold] == [0, 1]
        assert [one.charge for one in sold] == pytest.approx([0.4, 0.15])

    def test_nobody_behind_costs_the_reserve(self) -> None:
        assert auction(np.array([0.1]), np.array([0.5]), 3) == [Sold(0, RESERVE)]

    def test_what_bids_too_little_nothing_or_is_never_clicked_stays_out(self) -> None:
        bids = np.array([RESERVE / 2, np.nan, 0.5, 0.4])
        assert auction(np.array([0.9, 0.9, 0.0, 0.1]), bids, 9) == [Sold(3, RESERVE)]

    def test_where_nobody_may_bid_nothing_is_sold(self) -> None:
        assert auction(np.array([0.0, 0.5]), np.array([0.5, 0.0]), 3) == []

    def test_no_charge_is_above_the_bid_or_below_the_reserve(self) -> None:
        random = np.random.default_rng(0)
        click, bids = random.random(50), random.random(50)
        sold = auction(click, bids, 50)
        worth = [click[one.place] * bids[one.place] for one in sold]
        assert worth == sorted(worth, reverse=True)
        assert all(RESERVE <= one.charge <= bids[one.place] for one in sold)

    def test_equals_pay_their_whole_bid_and_the_earlier_wins(self) -> None:
        sold = auction(np.array([0.1, 0.1]), np.array([0.5, 0.5]), 1)
        assert [one.place for one in sold] == [0]
        assert sold[0].charge == pytest.approx(0.5)


class TestPlacing:
    def test_one_ad_follows_every_five_results_and_says_what_it_costs(self) -> None:
        found = ask(engine_with(("a", 0, 0.5), ("b", 1, 0.4), ("c", 2, 0.3)), k=12)
        assert shape(found) == "15 14 13 12 11 *0 10 9 8 7 6 *1"
        assert [item["position"] for item in found] == list(range(1, 13))
        assert found[5]["ad"] == {"campaign_id": "a", "bid": 0.5, "charge": 0.4, "click": 0.1}
        assert found[11]["ad"] == {"campaign_id": "b", "bid": 0.4, "charge": 0.3, "click": 0.1}
        assert found[5]["score"] == pytest.approx(0.05)
        assert sum(found[5]["why"].values()) == pytest.approx(found[5]["score"])

    def test_an_item_stands_once(self) -> None:
        assert shape(ask(engine_with(("a", 9, 0.5)), k=8)) == "15 14 13 12 11 *9 10 8"

    def test_a_short_list_has_no_ad(self) -> None:
        engine = engine_with(("a", 0, 0.5))
        assert shape(ask(engine, k=EVERY - 1)) == "15 14 13 12"
        assert shape(ask(engine, k=EVERY)) == "15 14 13 12 11"

    def test_an_ad_breaks_no_rule_and_no_filter(self) -> None:
        engine = engine_with(("not for sale", 3, 9.0), ("dear", 0, 0.5), ("right", 5, 0.1))
        assert shape(ask(engine, k=7, filters={"price": [2, 20]})) == "15 14 13 12 11 *5 10"
        assert "*3" not in shape(ask(engine, k=16))

    def test_an_ad_of_a_search_is_among_its_results(self) -> None:
        engine = engine_with(("odd", 1, 9.0), ("even", 2, 0.1))
        assert shape(ask(engine, k=7, user_id=None, query="tea")) == "14 12 10 8 6 *2 4"

    def test_what_does_not_run_is_not_shown(self) -> None:
        engine = engine_with(("a", 0, 0.5))
        assert "*" in shape(ask(engine, k=8))
        assert "*" not in shape(ask(engine, as_of=NOW + DAY, k=8))
        assert "*" not in shape(ask(engine, as_of=NOW + DAY, k=8, query="tea"))

    def test_without_reasons_none_are_told(self) -> None:
        assert all("why" not in item for item in ask(engine_with(("a", 0, 0.5)), k=8, explain=False))


class TestFrequency:
    def test_a_user_sees_an_ad_so_often_a_day(self) -> None:
        engine = engine_with(("a", 0, 0.5))
        seen = ["*" in shape(ask(engine, k=8)) for _ in range(CAP + 1)]
        assert seen == [True] * CAP + [False]
        assert "*" in shape(ask(engine, k=8, user_id="another"))
        engine.campaigns.offers.loc[:, c.ENDS_AT] = NOW + 9 * DAY
        assert "*" in shape(ask(engine_of_next_day(engine), k=8, as_of=NOW + DAY))

    def test_the_longest_unseen_are_forgotten(self) -> None:
        shown = Shown(cap=1, users=2)
        for user in ("u", "v", "w"):
            shown.note(user, "a", NOW)
        assert [shown.full(user, "a", NOW) for user in ("u", "v", "w", None)] == [False, True, True, False]

    def test_nobody_known_is_not_counted(self) -> None:
        shown = Shown(cap=1)
        shown.note(None, "a", NOW)
        assert not shown.full(None, "a", NOW)


def engine_of_next_day(engine: Engine) -> Engine:
    """The same engine, its campaigns read anew: what runs is kept by campaign."""
    engine.campaigns = Campaigns(engine.campaigns.offers, NOBODY)
    return engine


class TestModel:
    def test_by_hand(self) -> None:
        """One deviation above the mean at weight ln 3: odds 3 to 1, looked at half the time."""
        model = ClickModel(
            members=("m",), means=(1.0,), scales=(2.0,), weights=(math.log(3),), missing=(0.0,), intercept=0.0, seen=0.5
        )
        assert model.clicks({"m": np.array([3.0, 1.0, np.nan, -np.inf], np.float32)}) == pytest.approx(
            [0.375, 0.25, 0.25, 0.25]
        )
        assert model.clicks({"other": np.array([3.0], np.float32)}) == pytest.approx([0.25])

    def test_a_release_serves_ads_only_with_ads_and_a_model(self) -> None:
        assert engine_with(("a", 0, 0.5)).serves("ads")
        assert not engine_with(("a", 0, 0.5), model=None).serves("ads")
        engine = engine_with(("a", 0, 0.5))
        engine.campaigns = Campaigns.none()
        assert not engine.serves("ads")
        assert AD in COLUMNS

    def test_a_file_is_read_or_refused(self, tmp_path: Path) -> None:
        assert ClickModel.load_if_any(tmp_path / "clicks.json") is None
        write_json(tmp_path / "clicks.json", MODEL.model_dump(mode="json"))
        assert ClickModel.load_if_any(tmp_path / "clicks.json") == MODEL
        write_json(tmp_path / "clicks.json", {"members": []})
        with pytest.raises(ReleaseError, match=r"clicks\.json"):
            ClickModel.load_if_any(tmp_path / "clicks.json")
