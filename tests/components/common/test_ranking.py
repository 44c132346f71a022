"""NDCG with fractions a reader can redo, and against a slow second implementation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.common.ranking import discounts, gains, ndcg_at


def one(labels: list[float], n_relevant: int, k: int) -> float:
    return float(ndcg_at(np.array([labels], dtype=float), np.array([n_relevant]), k)[0])


def test_a_single_relevant_item_is_worth_its_discount() -> None:
    assert one([1, 0, 0], 1, 10) == 1.0
    assert one([0, 1, 0], 1, 10) == pytest.approx(1 / np.log2(3))
    assert one([0, 0, 1], 1, 2) == 0.0


def test_relevant_items_that_were_not_recalled_stand_in_the_ideal() -> None:
    assert one([1, 0], 2, 2) == pytest.approx(1 / (1 + 1 / np.log2(3)))


def test_k_above_the_list_length_still_counts_what_is_missing() -> None:
    assert one([1], 3, 3) == pytest.approx(1 / discounts(3).sum())


def test_k_below_the_number_of_relevant_items_can_still_reach_one() -> None:
    assert one([1, 1, 0], 7, 2) == 1.0


def test_graded_gains_are_two_to_the_grade_minus_one() -> None:
    assert gains(np.array([0.0, 1.0, 2.0, 3.0, -1.0])).tolist() == [0, 1, 3, 7, 0]
    ideal = 7 + 1 / np.log2(3)
    assert one([1, 3], 2, 2) == pytest.approx((1 + 7 / np.log2(3)) / ideal)


def test_unlisted_items_count_as_grade_one_beside_graded_ones() -> None:
    assert one([0, 2], 2, 2) == pytest.approx((3 / np.log2(3)) / (3 + 1 / np.log2(3)))


def test_fractional_grades_keep_their_own_ideal() -> None:
    assert one([0.5, 0.0], 1, 2) == 1.0


def test_nothing_relevant_is_not_a_number() -> None:
    assert np.isnan(one([0, 0], 0, 10))
    assert ndcg_at(np.empty((0, 3)), np.empty(0, int), 10).shape == (0,)
    assert np.isnan(ndcg_at(np.empty((2, 0)), np.zeros(2, int), 10)).all()
    assert ndcg_at(np.empty((1, 0)), np.ones(1, int), 10).tolist() == [0.0]


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="k=0"):
        one([1], 1, 0)
    with pytest.raises(ValueError, match="2 counts"):
        ndcg_at(np.zeros((1, 2)), np.array([1, 1]), 5)


@given(
    labels=st.lists(st.integers(0, 3), max_size=15),
    unlisted=st.integers(0, 6),
    k=st.integers(1, 25),
)
def test_agrees_with_a_plain_loop(labels: list[int], unlisted: int, k: int) -> None:
    ideal = sorted([*labels, *[1] * unlisted], reverse=True)
    got = sum((2**grade - 1) / np.log2(place + 2) for place, grade in enumerate(labels[:k]))
    best = sum((2**grade - 1) / np.log2(place + 2) for place, grade in enumerate(ideal[:k]))
    found = one([float(value) for value in labels], sum(grade > 0 for grade in labels) + unlisted, k)
    assert found == pytest.approx(got / best) if best else np.isnan(found)
