"""Greedy selection: answers by hand, noise left out, never below the best single choice, order of lists."""

from itertools import pairwise

import numpy as np
import pytest
from gated_lists import NAMES, lists_of, ndcg, planted
from hypothesis import given, settings
from hypothesis import strategies as st

from components.fuse import greedy as greedily
from components.fuse.greedy import Doubles, greedy
from components.fuse.lists import Lists
from components.fuse.methods import single
from serving.arrays import Floats
from serving.calibration import RRF, VALUE
from serving.context import CONTEXT


def three(scores: list[list[list[float]]], relevant: list[int]) -> Lists:
    """Lists from (n, c, K) scores, one relevant item each."""
    table = np.array(scores, dtype=np.float32)
    gain = np.eye(table.shape[1], dtype=np.float32)[relevant]
    return lists_of(table, gain, np.zeros((*gain.shape, len(CONTEXT)), np.float32))


def test_one_member_that_is_always_right_gets_everything() -> None:
    found = greedy(three([[[3.0, 0.0], [1.0, 5.0]], [[0.0, 9.0], [2.0, 3.0]]], [0, 1]))
    assert found.kind == "greedy"
    assert found.weights[0][VALUE] == 1.0
    assert np.array(found.weights).sum() == 1.0


def test_two_halves_of_the_truth_are_put_together() -> None:
    """Each member alone is misled once: the sum of their values puts the relevant item (0) first in both lists."""
    first = [[0.8, 1.0], [1.0, 0.0], [0.0, 0.1]]
    second = [[1.0, 0.8], [0.0, 1.0], [0.1, 0.0]]
    found = greedy(three([first, second], [0, 0]))
    assert ndcg(found, three([first, second], [0, 0])) == 1.0
    assert ndcg(single("als", NAMES[:2]), three([first, second], [0, 0])) == pytest.approx((1 + 1 / np.log2(3)) / 2)
    weights = np.array(found.weights)[:, [VALUE, RRF]].sum(axis=1)
    assert weights.min() > 0


def test_noise_gets_next_to_nothing_and_the_blend_beats_each_member_on_fresh_lists() -> None:
    teaching, fresh = planted(apart=0.8), planted(seed=1, apart=0.8)
    found = greedy(teaching)
    assert np.array(found.weights)[2].sum() <= 0.05
    assert ndcg(found, fresh) > max(ndcg(single(name, NAMES), fresh) for name in NAMES) + 0.02


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 999), st.integers(1, 12))
def test_weights_are_counts_over_their_total_and_no_worse_than_the_best_first_choice(seed: int, steps: int) -> None:
    lists = planted(n=20, c=15, seed=seed)
    found = greedy(lists, steps)
    weights = np.array(found.weights)
    assert weights.sum() == pytest.approx(1.0)
    assert weights.min() >= 0
    total = next(total for total in range(1, steps + 1) if np.allclose(weights * total, np.round(weights * total)))
    assert total <= steps
    assert ndcg(found, lists) >= max(ndcg(single(name, NAMES), lists) for name in NAMES) - 1e-6


def test_the_order_of_lists_does_not_matter() -> None:
    lists = planted(n=50)
    assert greedy(lists.take(np.arange(50)[::-1])) == greedy(lists)


def test_padding_is_never_counted_on() -> None:
    lists = planted(n=30)
    wide = Lists(
        lists.members,
        np.pad(lists.x, ((0, 0), (0, 5), (0, 0), (0, 0)), constant_values=9.0),
        np.pad(lists.gain, ((0, 0), (0, 5))),
        np.pad(lists.valid, ((0, 0), (0, 5))),
        lists.groups,
        np.pad(lists.scores, ((0, 0), (0, 5), (0, 0)), constant_values=np.nan),
        np.pad(lists.context, ((0, 0), (0, 5), (0, 0))),
        lists.moments,
        lists.windows,
    )
    assert greedy(wide).weights == greedy(lists).weights


@pytest.mark.parametrize("seed", range(6))
def test_more_steps_never_end_worse(seed: int) -> None:
    lists = planted(n=40, seed=seed, apart=0.8)
    reached = [ndcg(greedy(lists, steps), lists) for steps in (1, 2, 3, 5, 9)]
    assert all(after >= before - 1e-6 for before, after in pairwise(reached))
    assert reached[-1] > reached[0]


def test_three_members_of_equal_worth_are_worth_more_than_any_two() -> None:
    random = np.random.default_rng(0)
    taste = random.normal(size=(200, 30))
    scores = (taste[:, :, None] + random.normal(size=(200, 30, 3))).astype(np.float32)
    lists = lists_of(scores, (taste > 1.8).astype(np.float32), np.zeros((200, 30, len(CONTEXT)), np.float32))
    lists = lists.take(np.flatnonzero(lists.gain.any(axis=1)))
    found = greedy(lists)
    assert np.array(found.weights).sum(axis=1) == pytest.approx([1 / 3] * 3, abs=0.12)
    assert ndcg(found, lists) > 1.02 * max(ndcg(greedy(lists.drop(name)), lists.drop(name)) for name in NAMES)


def test_it_ends_some_steps_after_the_last_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    worth, tried = greedily._worth, []

    def counting(scores: Floats, lists: Lists, grades: Doubles) -> float:
        tried.append(worth(scores, lists, grades))
        return tried[-1]

    monkeypatch.setattr(greedily, "_worth", counting)
    greedy(three([[[3.0, 0.0], [1.0, 5.0]], [[0.0, 9.0], [2.0, 3.0]]], [0, 1]))
    assert len(tried) == 4 * (1 + greedily.PATIENCE)  # two members by value and rank; right at the first step
