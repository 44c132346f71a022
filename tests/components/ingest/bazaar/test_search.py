"""Queries in two languages, and grades that say what matches."""

import numpy as np
import pandas as pd
import pytest
from bazaar_shop import Shop

from components.common import columns as c
from components.ingest.bazaar.config import BazaarConfig
from components.ingest.bazaar.search import grades, spelt
from components.ingest.bazaar.words import COLOURS, TYPES
from components.ingest.bazaar.world import Items, make_world

MUG, GLASS, TENT, RED, STRIPED = 0, 1, 18, 0, 1


@pytest.fixture(scope="module")
def items() -> Items:
    return make_world(BazaarConfig(users=20, items=3000, seed=0)).items


@pytest.mark.parametrize(
    ("asked", "query"),
    [
        ((MUG, RED, STRIPED, -1, 0, False, -1), "red striped mug"),
        ((MUG, RED, -1, 0, 1, False, -1), "凯托拉红色马克杯"),
        ((TENT, -1, -1, -1, 0, True, -1), "camping tent"),
        ((TENT, -1, -1, -1, 0, False, 1), "tnet"),
        ((MUG, RED, -1, -1, 0, False, 1), "red mgu"),
        ((MUG, -1, -1, -1, 0, False, 3), "mug"),  # too short for that slip
    ],
)
def test_queries_are_spelt(asked: tuple[int, int, int, int, int, bool, int], query: str) -> None:
    assert spelt(*asked) == query


def test_grades_by_hand(items: Items) -> None:
    grade = grades(items, np.array([MUG, RED, STRIPED, -1], np.int32))
    red, striped = items.colour == RED, items.pattern == STRIPED
    mug, glass = items.type == MUG, items.type == GLASS
    expected = np.zeros(len(items))
    expected[glass & red & striped] = 1
    expected[mug & ~red & ~striped] = 1
    expected[mug & (red ^ striped)] = 2
    expected[mug & red & striped] = 3
    assert set(expected) == {0, 1, 2, 3}
    assert (grade == expected).all()


def test_a_query_for_a_type_is_answered_by_it_and_a_little_by_its_sibling(items: Items) -> None:
    grade = grades(items, np.array([TENT, -1, -1, -1], np.int32))
    assert (grade[items.type == TENT] == 3).all()
    assert set(grade[items.type == TENT + 1]) == {1}
    assert (grade == 0).sum() == len(items) - np.isin(items.type, [TENT, TENT + 1]).sum()


def test_judgements_grade_highest_what_has_all_that_is_asked(shop: Shop) -> None:
    rows = shop.tables["judgements"].merge(shop.truth["queries"], on=c.QUERY)
    rows = rows.merge(shop.truth["items"], on=c.ITEM_ID, suffixes=("_asked", "_is"))
    matches = {name: rows[f"{name}_asked"].isna() | (rows[f"{name}_asked"] == rows[f"{name}_is"]) for name in
               ("type", "colour", "pattern", "brand")}  # fmt: skip
    all_of = pd.DataFrame(matches).all(axis=1)
    assert ((rows[c.GRADE] == 3) == all_of).all()
    assert set(rows[c.GRADE]) == {0, 1, 2, 3}
    assert (rows[c.GRADE] == 0).groupby(rows[c.QUERY]).sum().eq(20).all()
    assert shop.truth["queries"]["language"].value_counts().min() > 50
    assert shop.truth["queries"]["slip"].any()
    assert shop.truth["queries"]["synonym"].any()


def test_judged_queries_are_typed_by_users_in_their_language(shop: Shop) -> None:
    searches = shop.tables["events"].query("event == 'search'")
    assert set(shop.truth["queries"][c.QUERY]) <= set(searches[c.QUERY])
    chinese = searches[c.QUERY].str.contains("[\u4e00-\u9fff]")
    language = shop.tables["users"].set_index(c.USER_ID)["language"]
    assert (chinese == (language[searches[c.USER_ID]] == "zh").to_numpy()).all()


def test_what_is_clicked_after_a_search_is_what_was_asked_for(shop: Shop) -> None:
    events = shop.tables["events"]
    asked = events.query("event == 'search'")[[c.SESSION_ID, c.QUERY]]
    clicks = events[(events[c.EVENT] == "click") & events[c.CAMPAIGN_ID].isna()][[c.SESSION_ID, c.ITEM_ID]]
    rows = clicks.merge(asked, on=c.SESSION_ID).merge(shop.tables["judgements"], on=[c.QUERY, c.ITEM_ID])
    judged = shop.tables["judgements"].merge(asked[[c.QUERY]].drop_duplicates(), on=c.QUERY)
    assert rows[c.GRADE].mean() > judged[c.GRADE].mean() + 0.5


def test_no_two_things_share_a_name() -> None:
    names = [name for kind in TYPES for name in (kind.name.en, kind.name.zh, kind.name.also_en, kind.name.also_zh)]
    assert len(names) == len(set(names)) == 4 * len(TYPES)
    assert len({word.en for word, _ in COLOURS}) == len(COLOURS)
