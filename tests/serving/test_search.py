"""A search as the server answers it: words, taste, filters and Chinese, on a catalogue small enough to read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from components.common import columns as c
from components.common.config import ShopConfig
from components.train_text.lexical import train_lexical
from serving.blend import FEATURES, Blend, Fusion, TaskFusion
from serving.catalogue import Catalogue
from serving.engine import Engine
from serving.instances import parse
from serving.members.als import Als
from serving.members.history import HistoryWeights
from serving.members.lexical import Lexical
from serving.members.popularity import Popularity
from serving.states import UserStates

ROWS = [
    # item_id, title, category, brand, price, available
    ("cat-mug", "mug with a cat", "Kitchen > Drinkware", "Kettora", 9.0, True),
    ("dog-mug", "mug with a dog", "Kitchen > Drinkware", "Panvale", 15.0, True),
    ("gone-mug", "mug with a fish", "Kitchen > Drinkware", "Kettora", 12.0, False),
    ("mug-rack", "rack for a mug", "Kitchen > Cookware", "Panvale", 30.0, True),
    ("red-dress", "red summer dress", "Fashion > Tops", "Velmara", 40.0, True),
    ("cat-toy", "cat toy", "Pets", "Tumbly", 5.0, True),
    ("dog-toy", "dog toy", "Pets", "Tumbly", 5.0, True),
]
ITEMS = pd.DataFrame(ROWS, columns=[c.ITEM_ID, c.TITLE, c.CATEGORY, c.BRAND, c.PRICE, c.AVAILABLE])
ITEMS[c.DESCRIPTION], ITEMS[c.PRICE_NORM] = "", 0.0
PLACE = {item: row for row, item in enumerate(ITEMS[c.ITEM_ID])}


class Past:
    """What users have had to do with: a port whose answers are written down; counts how often it is asked."""

    def __init__(self, **items: Sequence[str]) -> None:
        self.items, self.asked = items, 0

    def states(self, user_ids: Sequence[str], as_of: int | None) -> UserStates:
        self.asked += 1
        return UserStates.from_items([[PLACE[i] for i in self.items.get(user, ())] for user in user_ids], as_of or 0)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lexical")
    train_lexical(ITEMS, folder)
    return folder


def engine_of(folder: Path, **weights: float) -> Engine:
    """Words, popularity and taste (cats or dogs), blended by *weights* of their values."""
    catalogue = Catalogue(ITEMS)
    cats, dogs = ITEMS[c.TITLE].str.contains("cat"), ITEMS[c.TITLE].str.contains("dog")
    factors = np.stack([cats, dogs], axis=1).astype(np.float32)
    members = {
        "als": Als(factors, (cats | dogs).to_numpy(), HistoryWeights(), 1.0, 0.1),
        "lexical": Lexical.load(folder, catalogue),
        "popularity": Popularity(np.array([1, 2, 9, 1, 1, 1, 1], dtype=np.float32)),
    }
    names = tuple(weights)
    table = tuple((weights[name], *[0.0] * (len(FEATURES) - 1)) for name in names)
    blend = Blend(kind="learned", members=names, weights=table)
    fusion = Fusion(tasks={"search": TaskFusion(chosen="learned", methods={"learned": blend})})
    return Engine(catalogue, ShopConfig(), members, fusion)


def found(engine: Engine, port: Past | None = None, **asked: Any) -> list[str]:
    instance = parse({"scenario": "search", "k": 4, **asked})
    return [item["item_id"] for item in engine.answer([instance], port, 0)[0]["items"]]


@pytest.fixture
def words(index: Path) -> Engine:
    return engine_of(index, lexical=1.0)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, {"cat-mug", "dog-mug", "mug-rack"}),
        ({"category": "Kitchen > Drinkware"}, {"cat-mug", "dog-mug"}),
        ({"category": "Kitchen"}, {"cat-mug", "dog-mug", "mug-rack"}),
        ({"brand": "PANVALE"}, {"dog-mug", "mug-rack"}),
        ({"price": [10, 20]}, {"dog-mug"}),
        ({"available": True}, {"cat-mug", "dog-mug", "mug-rack"}),
        ({"category": "Kitchen", "brand": "Panvale", "price": [0, 20]}, {"dog-mug"}),
    ],
)
def test_filters_hold_what_is_found_to_them(words: Engine, filters: dict[str, Any], expected: set[str]) -> None:
    mugs = set(found(words, query="mug", filters=filters))
    assert mugs - {"cat-toy", "dog-toy", "red-dress"} == expected  # unavailable items are never shown
    if filters.get("price"):
        assert mugs == expected


def test_a_filter_that_leaves_nothing_of_the_query_is_given_up_and_named(words: Engine) -> None:
    asked = parse({"scenario": "search", "query": "mug", "k": 4, "filters": {"price": [500, 900]}})
    answer = words.answer([asked], None, 0)[0]
    assert answer["items"][0]["item_id"] in {"cat-mug", "dog-mug", "mug-rack"}
    assert answer["relaxed"] == ["price"]


def test_taste_orders_what_the_words_find(index: Path) -> None:
    engine = engine_of(index, lexical=1.0, als=0.3)
    past = Past(cats=["cat-toy"], dogs=["dog-toy"])
    assert found(engine, past, query="mug", user_id="cats")[0] == "cat-mug"
    assert found(engine, past, query="mug", user_id="dogs")[0] == "dog-mug"
    instance = parse({"scenario": "search", "query": "mug", "user_id": "dogs", "explain": True})
    first = engine.answer([instance], past, 0)[0]["items"][0]
    assert first["why"]["als"] == pytest.approx(0.3)
    assert sum(first["why"].values()) == first["score"]


def test_taste_finds_nothing_by_itself(index: Path) -> None:
    engine = engine_of(index, lexical=1.0, als=0.3)
    engine.members.pop("popularity")
    assert set(found(engine, Past(dogs=["dog-toy"]), query="dress", user_id="dogs")) == {"red-dress"}


def test_where_taste_weighs_nothing_nobody_asks_for_it(words: Engine) -> None:
    past = Past(dogs=["dog-toy"])
    found(words, past, query="mug", user_id="dogs")
    assert past.asked == 0


def test_a_store_that_is_down_costs_the_taste_and_is_named(index: Path) -> None:
    engine = engine_of(index, lexical=1.0, als=0.3)
    answer = engine.answer([parse({"scenario": "search", "query": "mug", "user_id": "dogs"})], None, 0)[0]
    assert answer["items"]
    assert answer["degraded"] == ["features"]


def test_chinese_finds_english_titles_and_says_nothing_was_given_up(words: Engine) -> None:
    answer = words.answer([parse({"scenario": "search", "query": "红色连衣裙", "k": 1})], None, 0)[0]
    assert [item["item_id"] for item in answer["items"]] == ["red-dress"]
    assert answer["relaxed"] == []


def test_chinese_that_no_item_answers_is_named_as_unknown(words: Engine) -> None:
    answer = words.answer([parse({"scenario": "search", "query": "充电宝", "k": 1})], None, 0)[0]
    assert "unknown_words" in answer["relaxed"]
