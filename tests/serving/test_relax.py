"""No page stays empty for a filter too many or an unknown word, and the answer says what was given up."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from components.common import columns as c
from components.common.config import ShopConfig
from components.train_text.lexical import train_lexical
from serving.arrays import Floats
from serving.blend import FEATURES, Blend, Fusion, TaskFusion
from serving.catalogue import Catalogue
from serving.engine import Engine
from serving.instances import parse
from serving.members.lexical import Lexical, Vocabulary
from serving.members.popularity import Popularity
from serving.rules.schema import Filter, Rules

ITEMS = pd.DataFrame(
    {
        c.ITEM_ID: ["phone", "case", "hose", "耳机", "gone"],
        c.TITLE: ["smart phone", "phone case", "garden hose", "蓝牙耳机 headphones", "phone"],
        c.DESCRIPTION: "",
        c.BRAND: ["Acme", "Bolt", "Bolt", "Acme", "Gone"],
        c.CATEGORY: ["Audio", "Audio", "Garden", "Audio", "Audio"],
        c.PRICE: [100.0, 10.0, 20.0, 50.0, 1.0],
        c.PRICE_NORM: np.float32(0),
        c.AVAILABLE: [True, True, True, True, False],
    }
)


def engine_of(folder: Path, popular: bool) -> Engine:
    train_lexical(ITEMS, folder)
    catalogue = Catalogue(ITEMS)
    members: dict[str, Any] = {"lexical": Lexical.load(folder, catalogue)}
    if popular:
        members["popularity"] = Popularity(np.array([1, 2, 3, 4, 5], dtype=np.float32))
    weights = tuple(tuple(1.0 if name == "value" else 0.0 for name in FEATURES) for _ in members)
    blend = TaskFusion(chosen="even", methods={"even": Blend(kind="even", members=tuple(members), weights=weights)})
    tasks = dict.fromkeys(("discovery", "search", "similar", "bundle"), blend)
    return Engine(catalogue, ShopConfig(), members, Fusion(tasks=tasks))


@pytest.fixture
def words_only(tmp_path: Path) -> Engine:
    """A shop of which nothing is known but its catalogue."""
    return engine_of(tmp_path, popular=False)


@pytest.fixture
def shop(tmp_path: Path) -> Engine:
    return engine_of(tmp_path, popular=True)


def ask(engine: Engine, query: str = "phone", **filters: object) -> tuple[list[str], list[str]]:
    answer = engine.answer([parse({"scenario": "search", "query": query, "filters": filters})], None, 0)[0]
    return [item["item_id"] for item in answer["items"]], answer["relaxed"]


def test_what_fits_is_not_relaxed(shop: Engine) -> None:
    assert sorted(ask(shop, "phone", brand="Acme")[0]) == ["phone", "耳机"]
    assert ask(shop, "phone", brand="Acme")[1] == []
    assert ask(shop, "手机 headphones 耳机")[1] == []  # 机 is known


def test_the_price_goes_first_then_the_brand_then_the_category(words_only: Engine) -> None:
    assert ask(words_only, price=[1000, 2000]) == (["phone", "case"], ["price"])
    assert ask(words_only, brand="Nobody") == (["phone", "case"], ["brand"])
    assert ask(words_only, category="Nowhere") == (["phone", "case"], ["category"])


def test_only_what_must_go_goes(words_only: Engine) -> None:
    assert ask(words_only, price=[5, 20], brand="Nobody") == (["case"], ["brand"])
    assert ask(words_only, price=[5, 20], brand="Acme") == (["phone"], ["price"])  # either would do: the price goes
    assert ask(words_only, price=[5, 20], brand="Acme", category="Audio") == (["phone"], ["price"])
    assert ask(words_only, price=[900, 999], brand="Nobody", category="Audio") == (
        ["phone", "case"],
        ["price", "brand"],
    )
    assert ask(words_only, price=[900, 999], brand="Nobody", category="Nowhere")[1] == ["price", "brand", "category"]


def test_a_filter_that_only_hidden_items_pass_is_given_up(words_only: Engine) -> None:
    assert ask(words_only, brand="Gone") == (["phone", "case"], ["brand"])
    assert ask(words_only, available=False) == (["phone", "case"], ["available"])


def test_a_filter_without_a_match_for_the_query_is_given_up(words_only: Engine) -> None:
    """Nobody finds a phone in the garden: with words alone nothing is found there."""
    assert ask(words_only, "phone", category="Garden") == (["phone", "case"], ["category"])


def test_unknown_words_are_passed_over_and_named(shop: Engine) -> None:
    assert ask(shop, "phone zzzzqqq") == (ask(shop, "phone")[0], ["unknown_words"])
    assert ask(shop, "耳机 zzzzqqq")[0][0] == "耳机"


@pytest.mark.parametrize("query", ["zzzzqqq", "🎧", "!?", "'; DROP TABLE items; --", "龘", "ｚｚｚｑｑｑ"])
def test_a_query_of_unknown_words_still_shows_something(words_only: Engine, shop: Engine, query: str) -> None:
    for engine in (words_only, shop):
        found, relaxed = ask(engine, query)
        assert sorted(found) == ["case", "hose", "phone", "耳机"]
        assert relaxed == ["unknown_words"]
    assert ask(shop, query)[0][0] == "耳机"  # the most popular of those that may be shown


def test_unknown_words_keep_the_filters_that_can_be_kept(words_only: Engine) -> None:
    assert ask(words_only, "zzzzqqq", brand="Bolt") == (["case", "hose"], ["unknown_words"])
    assert ask(words_only, "zzzzqqq", brand="Nobody", category="Garden") == (["hose"], ["unknown_words", "brand"])


def test_a_slip_of_the_hand_is_no_unknown_word(shop: Engine) -> None:
    assert ask(shop, "haedphones") == (ask(shop, "headphones")[0], [])


def test_an_anchor_that_says_nothing_is_given_up(words_only: Engine) -> None:
    words_only.members["lexical"].scenarios = frozenset({"search", "similar"})  # type: ignore[misc]
    raw = {"scenario": "similar", "item_id": "new", "filters": {"brand": "Bolt"}}
    answer = words_only.answer([parse(raw)], None, 0)[0]
    assert [item["item_id"] for item in answer["items"]] == ["case", "hose"]
    assert (answer["relaxed"], answer["degraded"]) == (["item_id"], ["unknown_item"])


def test_explanations_of_what_stands_in_sum_to_the_score(words_only: Engine) -> None:
    raw = {"scenario": "search", "query": "zzzzqqq", "explain": True}
    for item in words_only.answer([parse(raw)], None, 0)[0]["items"]:
        assert sum(item["why"].values()) == pytest.approx(item["score"], abs=1e-6)


def test_a_batch_is_relaxed_row_by_row(words_only: Engine) -> None:
    raws = [
        {"scenario": "search", "query": "phone"},
        {"scenario": "search", "query": "zzzzqqq", "filters": {"price": [7, 8]}},
        {"scenario": "search", "query": "phone", "filters": {"brand": "Nobody", "price": [10, 10]}},
    ]
    batch = words_only.answer([parse(raw) for raw in raws], None, 0)
    single = [words_only.answer([parse(raw)], None, 0)[0] for raw in raws]
    assert [one["relaxed"] for one in batch] == [[], ["unknown_words", "price"], ["brand"]]
    assert [one["items"] for one in batch] == [one["items"] for one in single]


def test_where_nothing_may_be_shown_the_page_is_empty(words_only: Engine) -> None:
    nothing = Rules(rules=(Filter(name="nothing", items="1 == 1"),))
    assert ask(words_only.with_rules(nothing), brand="Acme") == ([], [])


class Lost(Lexical):
    def score_all(self, queries: object) -> Floats:
        raise RuntimeError("a fault")


def test_members_that_all_fail_give_no_error(words_only: Engine) -> None:
    known = words_only.members["lexical"]
    assert isinstance(known, Lexical)
    words_only.members = {"lexical": Lost(known.vocabulary, known.impacts)}
    assert ask(words_only, brand="Acme") == ([], [])


def test_known_words_beside_unknown_ones_are_held_to(words_only: Engine) -> None:
    """What remains is `phone`: it goes its own way, and nothing else fills the page."""
    assert ask(words_only, "phone zzzzqqq", brand="Nobody") == (["phone", "case"], ["unknown_words", "brand"])
    assert ask(words_only, "phone zzzzqqq", category="Garden") == (["phone", "case"], ["unknown_words", "category"])


def test_words_are_strange_by_runs() -> None:
    vocabulary = Vocabulary(["phone", "rtx", "蓝", "耳机"])
    assert vocabulary.strangeness("phone of rtx3080 蓝牙") == 0
    assert vocabulary.strangeness("of") == 1
    assert vocabulary.strangeness("🎧") == 1
    assert vocabulary.strangeness("phone 汽车") == 0.5
    assert vocabulary.strangeness("phone " + " ".join(f"qq{chr(97 + n)}qq" for n in range(19))) == 0.95
