"""Heads: what they keep, what they leave out, and that the top is ordered better by what is learned on them."""

import numpy as np
import pytest
from gated_lists import lists_of, planted
from hypothesis import given
from hypothesis import strategies as st

from components.fuse.heads import Heads, head_weights, softmax_head, varying
from components.fuse.lists import USED, Lists
from components.fuse.methods import softmax_free
from components.fuse.softmax import Listwise
from serving.context import CONTEXT

ONES = np.ones(12)


def whole(lists: Lists) -> Listwise:
    n, c, k, used = lists.x.shape
    return Listwise.of(lists.x.reshape(n, c, k * used), lists.gain, lists.valid)


def falling(c: int, relevant: list[list[int]]) -> Lists:
    """One member for whom candidate 0 is the best; the context `history` is the candidate's number."""
    n = len(relevant)
    scores = np.broadcast_to(np.arange(c, 0, -1, dtype=np.float32)[None, :, None], (n, c, 1)).copy()
    gain = np.zeros((n, c), dtype=np.float32)
    for row, items in enumerate(relevant):
        gain[row, items] = 1.0
    context = np.zeros((n, c, len(CONTEXT)), dtype=np.float32)
    context[:, :, 0] = np.arange(c)
    return lists_of(scores, gain, context)


def test_the_best_are_kept_in_order_and_lists_with_nothing_relevant_there_are_left_out() -> None:
    heads = Heads.of(falling(50, [[1, 3, 30], [20], [0]]), np.ones(4), depth=4)
    assert heads.rows.tolist() == [0, 2]
    assert heads.context[0, :, 0].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert heads.share.tolist() == [[0.0, 0.5, 0.0, 0.5], [1.0, 0.0, 0.0, 0.0]]
    assert not heads.bar.any()
    assert heads.take(np.array([1])).rows.tolist() == [2]


@given(st.integers(1, 40), st.integers(1, 60), st.integers(0, 99))
def test_a_head_as_deep_as_the_list_is_the_list(c: int, more: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    gain = np.eye(c, dtype=np.float32)[random.integers(0, c, 3)]
    scores = random.normal(size=(3, c, 3)).astype(np.float32)
    lists = lists_of(scores, gain, np.zeros((3, c, len(CONTEXT)), np.float32))
    found, expected = Heads.of(lists, ONES, depth=c + more).listwise.loss(ONES), whole(lists).loss(ONES)
    assert found[0] == pytest.approx(expected[0], abs=1e-4)
    np.testing.assert_allclose(found[1], expected[1], atol=1e-4)


def test_padding_never_counts() -> None:
    lists = planted(n=4, c=30)
    lists.valid[:, 20:] = False
    lists.gain[:, 20:] = 0
    lists.gain[:, 0] = 1
    heads = Heads.of(lists, ONES)
    assert np.isfinite(heads.bar).sum(axis=1).tolist() == [20] * 4
    assert not heads.share[np.isneginf(heads.bar)].any()


def test_the_weights_are_the_likeliest_for_the_heads_not_for_the_tails() -> None:
    lists = planted(n=200, c=300)
    weights, heads = head_weights(lists)
    free = np.array(softmax_free(lists, "softmax_free").weights)[:, list(USED)].ravel()
    assert heads.listwise.loss(weights)[0] < heads.listwise.loss(free)[0]
    assert whole(lists).loss(weights)[0] > whole(lists).loss(free)[0]
    assert np.array(softmax_head(lists).weights)[:, list(USED)].ravel().tolist() == weights.tolist()


def test_with_nothing_relevant_in_any_head_the_weights_are_those_of_the_whole_lists() -> None:
    lists = falling(300, [[299], [250]])
    lists.x[:, 250:] = 0  # whatever the weights, these are last
    lists.x[:, :250] = np.abs(lists.x[:, :250]) + 1
    pinned = np.array([5.0, 5.0, 5.0, 5.0])
    assert len(Heads.of(lists, pinned)) == 0
    weights, heads = head_weights(planted(n=5))
    assert len(weights) == 12
    assert len(heads) == 5


def test_only_what_varies_is_an_input() -> None:
    columns, mean, spread = varying(planted())
    assert [CONTEXT[column] for column in columns] == ["history", "price"]
    assert mean == pytest.approx([2.0, 0.0], abs=0.15)
    assert spread == pytest.approx([4 / np.sqrt(12), 1.0], abs=0.1)
    quiet = planted(n=5)
    assert not len(varying(lists_of(quiet.scores, quiet.gain, quiet.context, moments=False))[0])
