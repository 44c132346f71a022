"""Calibrated features: by hand, the decided edge cases, and properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from serving.calibration import BORDA, FEATURES, MISSING, RRF, TOP, VALUE, VOTE, features, ranks

NAN = float("nan")


def of(*scores: float, valid: list[bool] | None = None) -> np.ndarray:
    """(c, F) features of one member for one query."""
    column = np.array(scores, dtype=np.float32)[None, :, None]
    mask = np.array([valid if valid is not None else [True] * len(scores)])
    return features(column, mask)[0, :, 0]


def test_by_hand() -> None:
    found = of(2.0, 6.0, NAN, 4.0)
    assert found[:, VALUE].tolist() == [0.0, 1.0, 0.0, 0.5]
    assert found[:, RRF].tolist() == pytest.approx([61 / 63, 1.0, 0.0, 61 / 62])
    assert found[:, TOP].tolist() == pytest.approx([1 / 3, 1.0, 0.0, 1 / 2])
    assert found[:, BORDA].tolist() == pytest.approx([0.5, 1.0, 0.0, 0.75])
    assert found[:, VOTE].tolist() == [1, 1, 0, 1]
    assert found[:, MISSING].tolist() == [0, 0, 1, 0]


def test_padding_is_nothing_at_all() -> None:
    found = of(9.0, 1.0, NAN, valid=[False, True, False])
    assert not found[0].any()
    assert not found[2].any()
    assert found[1].tolist() == [1, 1, 1, 1, 1, 0]


def test_borda_counts_candidates_and_not_their_padding() -> None:
    assert of(9.0, 3.0, 1.0, valid=[True, True, False])[:, BORDA].tolist() == [1.0, 0.5, 0.0]


def test_votes_go_to_ten() -> None:
    assert of(*range(30, 0, -1))[:, VOTE].sum() == 10


def test_ties_rank_by_candidate_order_and_share_the_top_value() -> None:
    found = of(3.0, 3.0, NAN, 3.0)
    assert found[:, VALUE].tolist() == [1, 1, 0, 1]
    assert found[:, TOP].tolist() == pytest.approx([1, 1 / 2, 0, 1 / 3])
    assert of(-0.0, 0.0)[:, TOP].tolist() == [1, 0.5]


def test_nothing_scored_is_all_missing() -> None:
    found = of(NAN, float("-inf"), float("inf"))
    assert found[:, MISSING].tolist() == [1, 1, 1]
    assert not found[:, :MISSING].any()


def test_no_candidates_and_no_queries() -> None:
    assert features(np.empty((2, 0, 3), np.float32), np.empty((2, 0), bool)).shape == (2, 0, 3, len(FEATURES))
    assert features(np.empty((0, 4, 3), np.float32), np.empty((0, 4), bool)).shape == (0, 4, 3, len(FEATURES))


def test_huge_spans_stay_finite() -> None:
    found = of(-3e38, 3e38, 0.0)
    assert np.isfinite(found).all()
    assert found[:, VALUE].tolist() == pytest.approx([0, 1, 0.5])


SCORES = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 30), st.integers(1, 3)),
    elements=st.one_of(st.integers(-50, 50).map(float), st.just(NAN)),
)


@given(SCORES, st.sampled_from([0.25, 2.0, 1024.0]), st.integers(-100, 100))
def test_scaling_and_shifting_a_member_changes_nothing(scores: np.ndarray, scale: float, shift: int) -> None:
    valid = np.ones(scores.shape[:2], bool)
    moved = (scores * np.float32(scale) + np.float32(shift)).astype(np.float32)
    np.testing.assert_allclose(features(moved, valid), features(scores, valid), atol=1e-6)


@given(SCORES, st.data())
def test_batch_equals_single_and_features_stay_in_range(scores: np.ndarray, data: st.DataObject) -> None:
    valid = data.draw(arrays.arrays(bool, scores.shape[:2]))
    whole = features(scores, valid)
    assert whole.dtype == np.float32
    assert whole.min(initial=0) >= 0
    assert whole.max(initial=0) <= 1
    for row in range(len(scores)):
        np.testing.assert_array_equal(whole[row], features(scores[row : row + 1], valid[row : row + 1])[0])


@given(SCORES)
def test_ranks_agree_with_a_stable_sort(scores: np.ndarray) -> None:
    by_member = np.ascontiguousarray(scores.transpose(0, 2, 1))
    scored = np.isfinite(by_member)
    found = ranks(by_member, scored)
    order = np.argsort(np.where(scored, -by_member, np.inf), axis=-1, kind="stable")
    places = np.argsort(order, axis=-1, kind="stable")
    np.testing.assert_array_equal(found[scored], places[scored])
    assert (found[~scored] == scores.shape[1]).all()


@given(SCORES, st.data())
def test_members_in_another_order_give_features_in_that_order(scores: np.ndarray, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(scores.shape[2])))
    valid = np.ones(scores.shape[:2], bool)
    np.testing.assert_array_equal(features(scores[:, :, order], valid), features(scores, valid)[:, :, order])
