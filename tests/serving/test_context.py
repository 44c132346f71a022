"""The context of a candidate, by hand."""

import numpy as np
import pandas as pd
import pytest

from components.common.moments import DAY
from serving.arrays import PAD
from serving.catalogue import Catalogue
from serving.context import CONTEXT, ContextReader
from serving.states import UserStates

AS_OF = 100 * DAY
ITEMS = pd.DataFrame(
    {
        "item_id": ["tea", "green", "pan", "bare"],
        "category": ["food > tea > black", "food > tea > green", "kitchen", ""],
        "brand": ["leaf", "leaf", "iron", ""],
        "price_norm": np.array([1.0, 2.0, -1.0, 0.0], np.float32),
    }
)


def read(
    entries: list[tuple[int, int, int, float]], candidates: list[int], ordinal: bool = False
) -> dict[str, np.ndarray]:
    """Context of one user with (item, first day, last day, count) *entries*, oldest first."""
    item, first, last, count = (
        (np.array(column) for column in zip(*entries, strict=True)) if entries else [np.empty(0)] * 4
    )
    states = UserStates(
        ("u",), np.array([0, len(entries)]), item.astype(np.int32), last.astype(np.int64) * DAY,
        first.astype(np.int64) * DAY, count.astype(np.float32), np.array([AS_OF]),
    )  # fmt: skip
    found = ContextReader(Catalogue(ITEMS), ordinal).read(states, np.array([candidates], dtype=np.int32))
    assert found.shape == (1, len(candidates), len(CONTEXT))
    assert np.isfinite(found).all()
    return dict(zip(CONTEXT, found[0].T, strict=True))


def test_a_history_of_two_items_by_hand() -> None:
    found = read([(2, 44, 44, 1.0), (0, 60, 72, 4.0)], [0, 1, 2, 3, PAD])
    assert found["history"].tolist() == pytest.approx([np.log(3)] * 4 + [0])
    assert found["recency"][0] == pytest.approx(np.log(29))
    assert found["price"].tolist() == [1, 2, -1, 0, 0]
    assert found["price_gap"].tolist() == [1, 2, -1, 0, 0]  # the history's mean is 0
    assert found["share_top"].tolist() == pytest.approx([0.5, 0.5, 0.5, 0, 0])
    assert found["share_leaf"].tolist() == pytest.approx([0.5, 0, 0.5, 0, 0])
    assert found["share_brand"].tolist() == pytest.approx([0.5, 0.5, 0.5, 0, 0])
    assert found["recent_top"].tolist() == pytest.approx([2 / 3, 2 / 3, 1 / 3, 0, 0])  # one halving against two
    assert found["count_brand"].tolist() == pytest.approx([np.log(2)] * 3 + [0, 0])
    assert found["age_leaf"].tolist() == pytest.approx([np.log(29), -1, np.log(57), -1, 0])
    assert found["met"].tolist() == pytest.approx([np.log(5), 0, np.log(2), 0, 0])
    assert found["met_age"].tolist() == pytest.approx([np.log(29), -1, np.log(57), -1, 0])
    assert found["met_due"].tolist() == pytest.approx([28 / 4, -1, -1, -1, 0])  # every four days, 28 days ago


def test_where_time_is_ordinal_ages_are_visits() -> None:
    found = read([(2, 44, 44, 1.0), (0, 60, 72, 4.0)], [0, 2], ordinal=True)
    assert found["recency"][0] == 0
    assert found["met_age"].tolist() == pytest.approx([0, np.log(2)])


def test_of_nobody_nothing_is_known() -> None:
    found = read([], [0, 3])
    assert found["price"].tolist() == [1, 0]
    for name in CONTEXT:
        ages = name in ("recency", "age_leaf", "met_age", "met_due")
        assert name == "price" or found[name].tolist() == [-1.0 if ages else 0.0] * 2, name


def test_a_batch_equals_its_users_one_by_one() -> None:
    random = np.random.default_rng(0)
    sizes = [3, 0, 2, 4]
    items = np.concatenate([random.permutation(4)[:size] for size in sizes]).astype(np.int32)
    last = np.concatenate([np.sort(random.integers(1, 99, size)) for size in sizes]).astype(np.int64) * DAY
    indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    counts = random.integers(1, 5, len(items)).astype(np.float32)
    states = UserStates(tuple("abcd"), indptr, items, last, last - DAY // 2, counts, np.full(4, AS_OF))
    candidates = random.integers(-1, 4, (4, 6)).astype(np.int32)
    reader = ContextReader(Catalogue(ITEMS), False)
    whole = reader.read(states, candidates)
    for row in range(4):
        one = reader.read(states.take(np.array([row])), candidates[row : row + 1])
        np.testing.assert_array_equal(one[0], whole[row])
