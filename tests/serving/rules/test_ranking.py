"""What rules do to answers, on a shop of eight items whose scores can be read off, and what holds for any rules."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.common.config import ShopConfig
from serving.arrays import PAD, Floats
from serving.blend import FEATURES, Blend, Fusion, TaskFusion
from serving.catalogue import Catalogue
from serving.engine import Engine
from serving.instances import parse
from serving.members.base import Member
from serving.queries import RECOMMEND, SCENARIOS, Queries
from serving.rules.reading import read
from serving.rules.schema import STANDARD, Rules
from serving.states import UserStates

AS_OF = 1_700_000_000_000_000  # 2023-11-14
BRANDS = ["A", "A", "A", "B", "B", "C", "C", ""]
PATHS = ["food > fruit", "food > fruit", "food > fruit", "food > bread", "food > bread", "tools", "tools", ""]
VECTORS = np.array([[1, 0], [1, 0], [1, 0.1], [0, 1], [0, 1], [-1, 0], [0.6, 0.8], [0, 0]], dtype=np.float32)
TASKS = ("discovery", "next_basket", "search", "similar", "bundle")


class Planted(Member):
    """Gives every query the same scores: 8 for i0 down to 1 for i7, so that the blend's scores are 1, 6/7, ..., 0."""

    family = "cf"
    scenarios = frozenset(SCENARIOS)
    kind = "planted"
    name = "planted"

    def __init__(self, scores: Sequence[float], vectors: Floats | None = None) -> None:
        self.scores, self._vectors = np.array(scores, dtype=np.float32), vectors

    @property
    def item_vectors(self) -> Floats | None:
        return self._vectors

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> "Planted":
        return cls([float(len(folder.name))] * len(catalogue))

    def score_all(self, queries: Queries) -> Floats:
        return np.tile(self.scores, (len(queries), 1))


class Port:
    """User `u` has met i0 and is 19; user `v` has met nothing."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    def states(self, user_ids: Sequence[str], as_of: int | None) -> UserStates:
        met = {"item_ids": ["i0"], "last_at": [1], "first_at": [1], "counts": [1.0], "profile": '{"age": 19}'}
        rows = [met if user == "u" else None for user in user_ids]
        return UserStates.from_rows(user_ids, rows, np.full(len(rows), as_of or 0), self.catalogue)


def planted_engine(scores: Sequence[float] = (8, 7, 6, 5, 4, 3, 2, 1)) -> Engine:
    items = pd.DataFrame(
        {
            "item_id": [f"i{n}" for n in range(8)], "title": "a title", "description": "", "brand": BRANDS,
            "category": PATHS, "price": np.arange(1.0, 9.0), "price_norm": np.float32(0), "available": True,
            "created_at": pd.Timestamp(0, tz="UTC"), "attributes": "{}",
        }
    )  # fmt: skip
    weights = tuple(1.0 if name == "value" else 0.0 for name in FEATURES)
    blend = Blend(kind="even", members=("als",), weights=(weights,))
    fusion = Fusion(tasks=dict.fromkeys(TASKS, TaskFusion(chosen="even", methods={"even": blend})))
    return Engine(Catalogue(items), ShopConfig(), {"als": Planted(scores, VECTORS)}, fusion)


def following(*rules: str, engine: Engine | None = None) -> Engine:
    text = "rules:\n" + "".join(f"  - {{name: r{n}, {rule}}}\n" for n, rule in enumerate(rules))
    return (engine or planted_engine()).with_rules(read(text.encode(), "rules").over(STANDARD))


def ask(engine: Engine, as_of: int = AS_OF, **raw: Any) -> list[dict[str, Any]]:
    instance = parse({"scenario": "recommend", "k": 8, "explain": True} | raw)
    found: list[dict[str, Any]] = engine.answer([instance], Port(engine.catalogue), as_of)[0]["items"]
    return found


def ids(found: list[dict[str, Any]]) -> str:
    return "".join(str(item["item_id"])[1:] for item in found)


def scores(found: list[dict[str, Any]]) -> dict[str, Any]:
    return {str(item["item_id"]): item["score"] for item in found}


def why(found: list[dict[str, Any]], rule: str = "rule:r0") -> dict[str, float]:
    return {str(one["item_id"])[1:]: one["why"][rule] for one in found if rule in one["why"]}


class TestFilter:
    @pytest.mark.parametrize(
        ("rule", "expected"),
        [
            ("action: filter, items: 'brand == \"A\"'", "34567"),
            ("action: filter, category: food", "567"),
            ("action: filter, category: food > fruit, items: 'price < 3'", "234567"),
            ("action: filter, category: food > fruit, when: 'history == 0'", "34567"),
            ("action: filter, category: food, when: 'history > 0'", "01234567"),
            ("action: filter, category: food, tasks: [search]", "01234567"),
            ("action: filter, category: food, active: false", "01234567"),
            ("action: filter, category: food, starts_at: 2023-11-01, ends_at: 2023-12-01", "567"),
            ("action: filter, category: food, starts_at: 2023-12-01", "01234567"),
            ("action: filter, category: food, ends_at: 2023-11-01", "01234567"),
        ],
    )
    def test_it_hides_what_it_is_about_where_it_is_in_force(self, rule: str, expected: str) -> None:
        assert ids(ask(following(rule))) == expected

    def test_the_window_begins_with_its_first_moment_and_ends_before_its_last(self) -> None:
        engine = following("action: filter, category: food, starts_at: 2023-11-01, ends_at: 2023-11-02")
        first, last = 1_698_796_800_000_000, 1_698_883_200_000_000
        answers = [ids(ask(engine, as_of=at)) for at in (first - 1, first, last - 1, last)]
        assert [len(answer) for answer in answers] == [8, 3, 3, 8]

    def test_users_of_one_batch_are_told_apart(self) -> None:
        engine = following("action: filter, category: tools, when: 'profile[\"age\"] < 21'")
        batch = [parse({"scenario": "recommend", "user_id": user, "k": 8}) for user in ("u", "v")]
        young, unknown = engine.answer(batch, Port(engine.catalogue), AS_OF)
        assert (ids(young["items"]), ids(unknown["items"])) == ("12347", "01234567")

    def test_met_items_of_a_kind_are_hidden_where_repeats_are_welcome(self) -> None:
        again: dict[str, Any] = {"user_id": "u", "context": {"new_only": False}}
        assert ids(ask(planted_engine(), **again)) == "01234567"
        assert ids(ask(following("action: filter, met: true, category: food > fruit"), **again)) == "1234567"
        assert ids(ask(following("action: filter, met: true, category: tools"), **again)) == "01234567"


class TestBoost:
    def test_it_adds_its_share_of_the_distance_between_best_and_worst(self) -> None:
        """Scores are 1, 6/7, 5/7, 4/7, 3/7, 2/7, 1/7, 0: a distance of 1; i5 and i6 gain a half."""
        found = ask(following("action: boost, by: 0.5, items: 'brand == \"C\"'"))
        assert ids(found) == "01526347"
        assert why(found) == {"5": 0.5, "6": 0.5}
        assert scores(found)["i5"] == pytest.approx(2 / 7 + 0.5)

    def test_burying_takes_as_much(self) -> None:
        found = ask(following("action: bury, by: 0.5, category: food > fruit"))
        assert ids(found) == "30415267"
        assert why(found) == {"0": -0.5, "1": -0.5, "2": -0.5}

    def test_together_they_move_an_item_by_no_more_than_the_whole_distance(self) -> None:
        found = ask(following(*["action: boost, by: 0.8, items: 'item_id == \"i7\"'"] * 2))
        assert why(found, "rule:r0") == why(found, "rule:r1") == {"7": 0.5}
        assert scores(found)["i7"] == 1.0

    def test_where_all_score_alike_the_distance_is_one(self) -> None:
        found = ask(following("action: boost, by: 0.25, items: 'item_id == \"i7\"'", engine=planted_engine([1] * 8)))
        assert ids(found) == "70123456"
        assert why(found) == {"7": 0.25}

    def test_it_can_be_about_what_the_user_has_met(self) -> None:
        found = ask(
            following("action: bury, by: 1, met: true, category: food"), user_id="u", context={"new_only": False}
        )
        assert why(found) == {"0": -1.0}
        assert ids(found)[-2:] in ("70", "07")


class TestGiven:
    """Rules that fire exactly where a basket, an anchor or a history holds what they name."""

    RULE = "action: boost, by: 1, given: [i0, i3], items: 'item_id == \"i7\"', confidence: 0.5, support: 30"

    def test_it_fires_where_all_of_it_is_held(self) -> None:
        engine = following(self.RULE)
        for basket, fires in ((["i0", "i3"], True), (["i3", "i1", "i0"], True), (["i0"], False), (["i1", "i2"], False)):
            found = ask(engine, scenario="bundle", item_ids=basket)
            assert why(found) == ({"7": pytest.approx(1, abs=0.5)} if fires else {}), basket

    def test_a_history_counts_and_what_nobody_sells_is_never_held(self) -> None:
        bury = "action: bury, by: 1, items: 'item_id == \"i1\"', given: [{}]"
        assert ids(ask(following(bury.format("i0")), user_id="u"))[-2:] == "17"
        assert why(ask(following(bury.format("i0")), user_id="v")) == {}
        assert why(ask(following(bury.format("gone")), user_id="u")) == {}


class TestPin:
    def test_an_item_stands_where_it_is_pinned_with_the_score_it_has(self) -> None:
        found = ask(following("action: pin, position: 2, items: 'item_id == \"i6\"'"))
        assert ids(found) == "06123457"
        assert scores(found) == scores(ask(planted_engine()))
        assert why(found) == {"6": 0.0}

    @pytest.mark.parametrize(
        ("rules", "expected"),
        [
            (["position: 3, items: 'item_id == \"i0\"'"], "12034567"),
            (["position: 1, items: 'brand == \"C\"'"], "50123467"),
            (["position: 1, items: 'brand == \"C\"'"] * 2, "56012347"),
            (["position: 1, items: 'item_id == \"i4\"'", "position: 1, items: 'item_id == \"i3\"'"], "43012567"),
            (["position: 1, items: 'item_id == \"i4\"'"] * 2, "40123567"),
            (["position: 200, items: 'item_id == \"i0\"'"], "12345670"),
            (["position: 1, items: 'item_id == \"gone\"'"], "01234567"),
        ],
    )
    def test_positions_are_kept(self, rules: list[str], expected: str) -> None:
        """The better of several first; an earlier rule before a later one, which takes the next position."""
        engine = following(*(f"action: pin, {rule}" for rule in rules))
        assert ids(ask(engine)) == expected
        assert [ids(ask(engine, k=k)) for k in (1, 2, 3)] == [expected[:k] for k in (1, 2, 3)]

    def test_what_no_channel_recalled_is_scored_and_shown_and_changes_no_other_score(self) -> None:
        engine = following('action: pin, position: 1, items: \'item_id in ["i6", "i7"]\'')
        queries = Queries(RECOMMEND, UserStates.from_items([[], [6]], AS_OF))
        plain = engine.rank(planted_engine().pool(queries, "discovery", recall=3), "discovery", 4)
        pinned = engine.rank(engine.pool(queries, "discovery", recall=3), "discovery", 4)
        assert plain.items.tolist() == [[0, 1, 2, PAD], [0, 1, 2, PAD]]
        assert pinned.items.tolist() == [[6, 0, 1, 2], [7, 0, 1, 2]]
        assert pinned.scores[:, 1:].tolist() == plain.scores[:, :3].tolist()

    def test_a_pin_does_not_make_an_answer_where_nothing_was_found(self) -> None:
        engine = following("action: pin, position: 1, items: 'item_id == \"i6\"'", engine=planted_engine([np.nan] * 8))
        queries = Queries(RECOMMEND, UserStates.from_items([[]], AS_OF))
        assert engine.rank(engine.pool(queries, "discovery"), "discovery", 3).items.tolist() == [[PAD] * 3]

    def test_what_is_hidden_is_not_pinned(self) -> None:
        pin = "action: pin, position: 1, items: 'item_id == \"i0\"'"
        assert ids(ask(following(pin, "action: filter, items: 'price < 3'"))) == "234567"
        assert ids(ask(following(pin), user_id="u")) == "1234567"
        assert ids(ask(following(pin), filters={"brand": "C"})) == "56"


class TestDiversify:
    @pytest.mark.parametrize(
        ("rule", "expected"),
        [
            ("per_brand: 1, first: 4", "03571246"),
            ("per_brand: 2, first: 5", "01345267"),
            ("per_category: 1, first: 4", "03571246"),
            ("per_category: 1, level: 1, first: 3", "05712346"),
            ("per_category: 2, level: 1, first: 4, per_brand: 1", "0357"[:4] + "1246"),
            ("per_brand: 1, first: 8", "0357"),
        ],
    )
    def test_caps_hold_in_the_first_positions(self, rule: str, expected: str) -> None:
        """i7 has neither brand nor category and counts for none; where nothing else is left, the list ends."""
        assert ids(ask(following(f"action: diversify, {rule}"))) == expected

    def test_a_cap_says_nothing_where_all_are_of_one_group(self) -> None:
        engine = following("action: diversify, per_brand: 1")
        assert ids(ask(engine, filters={"brand": "A"})) == "012"

    def test_mmr_by_category_weighs_likeness_against_the_score(self) -> None:
        """Worth 1, 6/7, ...; halves: after i0 (fruit), i1 counts 3/7 - 1/2, i3 (a half alike) 2/7 - 1/4, i5 1/7."""
        found = ask(following("action: diversify, mmr: 0.5, over: category, first: 2"))
        assert ids(found) == "05123467"
        assert why(found) == {"5": 0.0}
        assert scores(found) == scores(ask(planted_engine()))

    def test_mmr_by_vectors_is_by_their_cosine(self) -> None:
        """After i0, i1 and i2 are its likes; i3 is at a right angle: 2/7 against 3/7 - 1/2."""
        assert ids(ask(following("action: diversify, mmr: 0.5, first: 3"))) == "03512467"

    def test_what_is_pinned_counts(self) -> None:
        engine = following(
            "action: pin, position: 2, items: 'item_id == \"i2\"'", "action: diversify, per_brand: 1, first: 4"
        )
        assert ids(ask(engine)) == "32570146"

    def test_it_may_be_for_some_users_only(self) -> None:
        engine = following("action: diversify, per_brand: 1, first: 3, when: 'history > 0'")
        assert (ids(ask(engine, user_id="u")), ids(ask(engine))) == ("1352467", "01234567")


RULE = st.one_of(
    st.builds("action: filter, items: 'price < {}'".format, st.integers(0, 9)),
    st.builds("action: pin, position: {}, items: 'item_id == \"i{}\"'".format, st.integers(1, 9), st.integers(0, 8)),
    st.builds("action: pin, position: {}, category: {}".format, st.integers(1, 9), st.sampled_from(["food", "tools"])),
    st.builds("action: {}, by: {}, items: 'brand == \"{}\"'".format, st.sampled_from(["boost", "bury"]),
              st.sampled_from([0.1, 0.5, 1]), st.sampled_from("ABC")),
    st.builds("action: diversify, per_brand: {}, mmr: {}, first: {}".format, st.integers(1, 3),
              st.sampled_from([0.1, 0.9, 1]), st.integers(1, 9)),
    st.builds("action: diversify, per_category: {}, level: 1, first: {}".format, st.integers(1, 3), st.integers(1, 9)),
)  # fmt: skip
PLAIN = planted_engine()


@settings(max_examples=60, deadline=None)
@given(st.lists(RULE, max_size=5), st.integers(1, 9), st.integers(1, 8), st.sampled_from(["u", "v", ""]))
def test_what_holds_for_any_rules(rules: list[str], k: int, recall: int, user: str) -> None:
    engine = following(*rules, engine=PLAIN)
    queries = engine.queries(RECOMMEND, Port(engine.catalogue).states([user], AS_OF))
    ranking = engine.rank(engine.pool(queries, "discovery", recall=recall), "discovery", k)
    shown = [int(item) for item in ranking.items[0] if item != PAD]
    assert len(set(shown)) == len(shown), "an item stands once"
    np.testing.assert_allclose(
        ranking.contributions[0].sum(axis=1)[: len(shown)], ranking.scores[0, : len(shown)], atol=1e-6
    )
    hidden = {item for item in range(8) if any(f"price < {n}" in rule for rule in rules for n in range(item + 2, 10))}
    assert not set(shown) & (hidden | ({0} if user == "u" else set())), "a filter leaks nothing"
    longer = engine.rank(engine.pool(queries, "discovery", recall=recall), "discovery", 9).items[0]
    assert ranking.items[0].tolist() == longer[:k].tolist(), "a shorter list is the beginning of a longer one"
    for item in ask(engine, user_id=user or "nobody"):
        assert sum(item["why"].values()) == item["score"], "reasons sum to the score"
    _pins_change_no_score(rules, queries, recall)
    _caps_hold(rules, shown)


def _pins_change_no_score(rules: list[str], queries: Queries, recall: int) -> None:
    def scored(kept: list[str]) -> dict[int, float]:
        engine = following(*kept, engine=PLAIN)
        ranking = engine.rank(engine.pool(queries, "discovery", recall=recall), "discovery", 9)
        return dict(zip(ranking.items[0].tolist(), ranking.scores[0].tolist(), strict=True))

    moving = ("action: pin", "action: diversify")
    with_pins = scored([rule for rule in rules if not rule.startswith("action: diversify")])
    without = scored([rule for rule in rules if not rule.startswith(moving)])
    assert with_pins.keys() >= without.keys() - {PAD}
    assert all(with_pins[item] == without[item] for item in without.keys() - {PAD})


def _caps_hold(rules: list[str], shown: list[int]) -> None:
    spread = next((rule for rule in rules if "diversify" in rule), "")
    if "per_brand" not in spread or any("action: pin" in rule for rule in rules):
        return
    most, first = int(spread.split("per_brand: ")[1][0]), int(spread.split("first: ")[1])
    brands = [BRANDS[item] for item in shown[:first] if BRANDS[item]]
    if len({BRANDS[item] for item in shown}) > 1:
        assert max(brands.count(brand) for brand in brands) <= most


def test_the_standard_rules_cost_no_second_path() -> None:
    assert not PLAIN.rulebook.orders("discovery")
    assert PLAIN.rules == STANDARD
    assert Rules(rules=()).over(STANDARD) == STANDARD
