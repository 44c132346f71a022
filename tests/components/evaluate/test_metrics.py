"""Metrics with fractions a reader can redo, then against slow second implementations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from components.evaluate.metrics import (
    auc,
    average_precision,
    coverage,
    diversity,
    graded_ndcg,
    mean,
    novelty,
    relevance_metrics,
)

LISTS = np.array([[True, False, True, False], [False, False, False, False], [False, True, False, False]])
RELEVANT = np.array([3, 2, 1])


def test_hand_computed_relevance_metrics() -> None:
    found = relevance_metrics(LISTS, RELEVANT, (2, 4))
    half = 1 / np.log2(3)
    expected: dict[str, list[float]] = {
        "accuracy@1": [1, 0, 0],
        "precision@2": [1 / 2, 0, 1 / 2],
        "recall@2": [1 / 3, 0, 1],
        "f1@2": [2 / 5, 0, 2 / 3],
        "hit@2": [1, 0, 1],
        "mrr@2": [1, 0, 1 / 2],
        "map@2": [1 / 2, 0, 1 / 2],
        "ndcg@2": [1 / (1 + half), 0, half],
        "precision@4": [2 / 4, 0, 1 / 4],
        "recall@4": [2 / 3, 0, 1],
        "f1@4": [4 / 7, 0, 2 / 5],
        "map@4": [(1 + 2 / 3) / 3, 0, 1 / 2],
        "ndcg@4": [1.5 / (1 + half + 0.5), 0, half],
        "hit@4": [1, 0, 1],
        "mrr@4": [1, 0, 1 / 2],
    }
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, err_msg=name)


def test_a_list_shorter_than_k_counts_its_empty_places_as_misses() -> None:
    found = relevance_metrics(np.array([[True]]), np.array([1]), (5,))
    assert found["precision@5"][0] == pytest.approx(1 / 5)
    assert (found["recall@5"][0], found["map@5"][0], found["ndcg@5"][0]) == (1, 1, 1)


def test_nothing_relevant_has_no_value_and_is_left_out_of_the_mean() -> None:
    found = relevance_metrics(np.array([[True], [False]]), np.array([1, 0]), (1,))
    for values in found.values():
        assert np.isnan(values[1])
        assert mean(values) == 1.0
    assert mean(np.array([np.nan])) is None


def test_nobody_to_evaluate_is_no_error() -> None:
    found = relevance_metrics(np.zeros((0, 4), bool), np.zeros(0, int), (2,))
    assert all(mean(values) is None for values in found.values())
    assert np.isnan(auc(np.zeros((2, 3), np.float32), np.zeros(0, int), np.zeros(0, np.int32))).all()


def test_average_precision_is_one_when_the_list_could_not_be_better() -> None:
    assert average_precision(np.array([[True, True]]), np.array([9]))[0] == 1.0


def naive(hits: list[bool], n_relevant: int, k: int) -> dict[str, float]:
    """One user, plain loops."""
    top = [bool(place < len(hits) and hits[place]) for place in range(k)]
    found = sum(top)
    precision, recall = found / k, found / n_relevant
    precisions = [sum(top[: place + 1]) / (place + 1) for place in range(k) if top[place]]
    gain = sum(1 / np.log2(place + 2) for place in range(k) if top[place])
    best = sum(1 / np.log2(place + 2) for place in range(min(k, n_relevant)))
    return {
        f"precision@{k}": precision,
        f"recall@{k}": recall,
        f"f1@{k}": 2 * precision * recall / (precision + recall) if found else 0.0,
        f"hit@{k}": float(found > 0),
        f"mrr@{k}": next((1 / (place + 1) for place in range(k) if top[place]), 0.0),
        f"map@{k}": sum(precisions) / min(n_relevant, k),
        f"ndcg@{k}": gain / best,
    }


@given(
    hits=st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=5),
    beyond=st.integers(0, 4),
    k=st.integers(1, 12),
)
def test_agrees_with_plain_loops_for_k_below_and_above_the_length(hits: list[list[bool]], beyond: int, k: int) -> None:
    n_relevant = np.array([max(sum(row) + beyond, 1) for row in hits])
    found = relevance_metrics(np.array(hits), n_relevant, (k,))
    for row, listed in enumerate(hits):
        for name, value in naive(listed, int(n_relevant[row]), k).items():
            assert found[name][row] == pytest.approx(value), name


def test_graded_ndcg_knows_every_grade() -> None:
    ideal = 7 + 1 / np.log2(3)
    assert graded_ndcg(np.array([[1.0, 3.0, 0.0]]), np.array([[0.0, 3.0, 1.0]]), 10)[0] == pytest.approx(
        (1 + 7 / np.log2(3)) / ideal
    )
    assert graded_ndcg(np.array([[0.0, 3.0]]), np.array([[3.0, 0.0]]), 1)[0] == 0.0
    assert np.isnan(graded_ndcg(np.zeros((1, 2)), np.zeros((1, 2)), 10)[0])


def test_auc_by_hand() -> None:
    scores = np.array([[0.9, 0.8, 0.7, 0.1], [0.5, 0.5, 0.5, 0.5], [np.nan, -np.inf, 0.2, 0.3]], np.float32)
    rows, items = np.array([0, 0, 1, 2]), np.array([0, 2, 1, 2], np.int32)
    # user 0: 0.9 beats both others, 0.7 beats one of two; user 1: all tied; user 2: beats NaN, loses to 0.3
    np.testing.assert_allclose(auc(scores, rows, items), [3 / 4, 1 / 2, 1 / 2])


def test_auc_of_a_relevant_item_that_may_not_be_shown_is_zero() -> None:
    scores = np.array([[-np.inf, 0.2, 0.1, -np.inf]], np.float32)
    assert auc(scores, np.array([0]), np.array([0], np.int32))[0] == 0.0


def test_auc_where_all_is_relevant_has_no_value() -> None:
    assert np.isnan(auc(np.array([[1, 2]], np.float32), np.array([0, 0]), np.array([0, 1], np.int32))[0])


def naive_auc(scores: list[float], relevant: set[int]) -> float:
    worth = [(-9e9 if np.isneginf(s) and i in relevant else s) for i, s in enumerate(scores)]
    worth = [(-9e9 if np.isnan(s) else s) for s in worth]
    others = [i for i in range(len(scores)) if i not in relevant and not np.isneginf(scores[i])]
    wins = [(worth[r] > worth[o]) + 0.5 * (worth[r] == worth[o]) for r in relevant for o in others]
    return float(np.mean(wins)) if wins else float("nan")


@settings(max_examples=200)
@given(
    scores=arrays(np.float32, (3, 6), elements=st.sampled_from([0.0, 1.0, 2.0, 3.0, np.nan, -np.inf])),
    relevant=arrays(bool, (3, 6)),
    single=st.booleans(),
)
def test_auc_agrees_with_plain_loops(scores: np.ndarray, relevant: np.ndarray, single: bool) -> None:
    if single:  # the branch without a sort
        relevant = relevant & (np.cumsum(relevant, axis=1) == 1)
    rows, items = np.nonzero(relevant)
    found = auc(scores.copy(), rows, items.astype(np.int32))
    for row in range(3):
        wanted = naive_auc(scores[row].tolist(), set(np.flatnonzero(relevant[row]).tolist()))
        assert found[row] == pytest.approx(wanted, nan_ok=True)


def test_coverage_counts_distinct_items_of_all_lists() -> None:
    items = np.array([[0, 1, 2], [0, 3, -1]], np.int32)
    assert coverage(items, 10, 1) == pytest.approx(1 / 10)
    assert coverage(items, 10, 20) == pytest.approx(4 / 10)


def test_diversity_is_the_share_of_pairs_of_different_groups() -> None:
    groups = np.array([7, 7, 8, -1, -1])
    items = np.array([[0, 1, 2], [3, 4, 0], [0, -1, -1], [0, 1, -1]], np.int32)
    np.testing.assert_allclose(diversity(items, groups, 3), [2 / 3, 1, np.nan, 0])
    np.testing.assert_allclose(diversity(items, groups, 2), [0, 1, np.nan, 0])


def test_novelty_is_mean_surprise() -> None:
    items = np.array([[0, 1], [1, -1], [-1, -1]], np.int32)
    np.testing.assert_allclose(novelty(items, np.array([7, 1]), 7, 2), [(0 + 2) / 2, 2, np.nan])
