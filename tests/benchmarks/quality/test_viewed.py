"""Newcomers after one product viewed: which it is, and what is left to find."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from finished_run import finished_run

from benchmarks.quality.lists import FUSED, Lists
from benchmarks.quality.measure import Finished, judged, measure
from benchmarks.quality.viewed import NOTHING_VIEWED, first_met, hiding, less, take_one_view
from components.common.prepared import Prepared
from components.evaluate.relevance import Relevance
from components.fuse.strangers import hidden
from serving.engine import Engine
from serving.queries import DISCOVERY, NEXT_BASKET
from serving.states import UserStates

USERS = np.array([2, 5, 7])


def events(*rows: tuple[int, str, int]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["user", "timestamp", "item"])
    return frame.assign(timestamp=pd.to_datetime(frame["timestamp"], utc=True))


def test_the_earliest_product_is_the_one_viewed() -> None:
    """User 5 met nothing that the catalogue holds, user 3 is not asked, user 7 met item 8 a day before item 1."""
    met = events((7, "2020-01-03", 1), (7, "2020-01-02", 8), (2, "2020-01-01", 4), (5, "2020-01-01", -1),
                 (3, "2020-01-01", 6))  # fmt: skip
    assert first_met(met, USERS, seed=0).tolist() == [4, -1, 8]


def test_of_one_moment_every_product_is_drawn_alike_and_the_same_for_a_seed() -> None:
    """Item 9 came twice in that visit: that makes it no more likely."""
    met = events(*((user, "2020-01-01", item) for user in range(3000) for item in (3, 9, 9)))
    everyone = np.arange(3000)
    drawn = first_met(met, everyone, seed=1)
    assert (drawn == 9).mean() == pytest.approx(0.5, abs=0.03)
    assert (drawn == first_met(met.iloc[::-1], everyone, seed=1)).all()
    assert (drawn != first_met(met, everyone, seed=2)).any()


def test_what_was_viewed_is_neither_wanted_nor_shown() -> None:
    wanted = Relevance(USERS, np.array([0, 0, 1, 2]), np.array([4, 6, 4, 8], np.int32), 10)
    viewed = np.array([4, -1, 8], np.int32)
    left = less(wanted, viewed)
    assert list(zip(left.rows.tolist(), left.items.tolist(), strict=True)) == [(0, 6), (1, 4)]
    assert left.counts.tolist() == [1, 1, 0]
    lists = np.array([[1, 4, 6], [4, 2, -1], [8, 3, -1]], np.int32)
    assert hiding(lists, viewed).tolist() == [[1, 6, -1], [4, 2, -1], [3, -1, -1]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return finished_run(tmp_path_factory.mktemp("finished"))


def strangers_of(finished: Finished, task: str) -> tuple[Prepared, Engine, Lists, UserStates]:
    """The planted shop, where nobody's history is known."""
    shop, engine = Prepared.load(finished.prepared), Engine.load(finished.release)
    lists, states, _ = judged(shop, engine, finished, task, 1)
    return shop, engine, replace(lists, sizes=np.zeros_like(lists.sizes)), hidden(states)


def test_one_view_tells_whose_neighbours_to_show(finished: Finished) -> None:
    """Every user takes an item of the own group and later another: the first, viewed, tells the blend the group."""
    shop, engine, lists, states = strangers_of(finished, NEXT_BASKET)
    seen = take_one_view(shop, engine, lists, states, NEXT_BASKET, 1)
    assert seen is not None
    assert set(seen.named) == {FUSED, NOTHING_VIEWED, "member/item_knn", "member/popularity"}
    assert len(seen) == len(lists)
    assert seen.sizes.tolist() == [1] * len(seen)
    assert (seen.relevance.counts == 1).all()
    viewed = first_met(shop.window(shop.split.test), seen.relevance.users, shop.split.seed)
    assert not any((items == viewed[:, None]).any() for items in seen.named.values())
    assert seen.values(FUSED).mean() > 0.2 + seen.values("member/popularity").mean()
    assert (seen.named[NOTHING_VIEWED] == hiding(lists.named[FUSED], viewed)).all()


def test_who_wants_nothing_else_or_has_a_history_is_not_asked(finished: Finished) -> None:
    """The one new item of the window is the one viewed; of the next basket another is left, for one of two users."""
    assert take_one_view(*strangers_of(finished, DISCOVERY), DISCOVERY, 1) is None
    shop, engine, lists, states = strangers_of(finished, NEXT_BASKET)
    known = np.arange(len(lists)) % 2
    seen = take_one_view(shop, engine, replace(lists, sizes=known), states, NEXT_BASKET, 1)
    assert seen is not None
    assert seen.users.tolist() == lists.users[known == 0].tolist()


def test_only_where_newcomers_are_asked_for_there_are_such_lists(finished: Finished, tmp_path: Path) -> None:
    facts = measure(finished, tmp_path, "fast", taken="nothing", workers=1, viewed=True)
    assert facts["viewed"]
    assert not list(tmp_path.glob("*.viewed.npz"))  # everybody has a history
    assert not measure(finished, tmp_path, "fast", taken="nothing", workers=1)["viewed"]
