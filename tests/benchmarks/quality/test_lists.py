from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality.lists import NDCG, Lists, common, of_codes
from components.evaluate.relevance import Relevance


def small() -> Lists:
    """Two users of four items: the first wants items 1 and 2, the second item 3, which nobody had met."""
    relevance = Relevance(np.array([5, 9]), np.array([0, 0, 1]), np.array([1, 2, 3], np.int32), 4)
    named = {
        "fused": np.array([[1, 0, 2], [3, -1, -1]], np.int32),
        "member/als": np.array([[0, 1, -1], [0, 1, 2]], np.int32),
    }
    return Lists(np.array(["ann", "bob"]), relevance, np.array([2, 0]), np.array([4, 1, 1, 0], np.int32), named)


def test_values_are_the_houses_own_metric() -> None:
    first = (1 + 1 / np.log2(4)) / (1 + 1 / np.log2(3))
    assert small().values("fused") == pytest.approx([first, 1.0])
    assert small().values("member/als", "recall@10") == pytest.approx([0.5, 0.0])


def test_only_new_items_count_where_asked() -> None:
    lists = small()
    values = lists.values("fused", NDCG, lists.met == 0)
    assert np.isnan(values[0])
    assert values[1] == 1.0


def test_coverage_counts_each_shown_item_once() -> None:
    assert small().coverage("fused") == 1.0
    assert small().coverage("member/als") == 0.75


def test_taken_users_keep_their_wishes_and_lists() -> None:
    one = small().take(np.array([1]))
    assert one.users.tolist() == ["bob"]
    assert one.values("fused").tolist() == [1.0]
    assert one.relevance.users.tolist() == [9]


def test_what_is_saved_is_what_is_read(tmp_path: Path) -> None:
    small().save(tmp_path / "a" / "lists.npz")
    read = Lists.load(tmp_path / "a" / "lists.npz")
    assert read.users.tolist() == ["ann", "bob"]
    assert set(read.named) == {"fused", "member/als"}
    assert read.values("fused").tolist() == small().values("fused").tolist()
    assert read.met.tolist() == [4, 1, 1, 0]


def test_lists_of_others_are_matched_by_user_and_empty_where_nobody_was_asked() -> None:
    asked, items = np.array([9, 5]), np.array([[3, 1], [2, 0]], np.int32)
    found = of_codes(asked, np.array([5, 7, 9]), items)
    assert found.shape == (3, 20)
    assert found[:, :2].tolist() == [[2, 0], [-1, -1], [3, 1]]
    assert of_codes(np.empty(0, np.int64), np.array([1]), np.empty((0, 20), np.int32)).max() == -1


def test_only_lists_of_every_window_are_common() -> None:
    more = small().plus({"member/new": small().named["fused"]})
    assert more.names("member") == ("als", "new")
    assert common([more, small()], "member") == ["als"]
