"""The two selections of every channel: by hand, and against a stable sort where nearly everything ties."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from serving.arrays import MAPPED_BYTES, PAD, gather, stored, top_k

NAN = float("nan")
FEW_VALUES = arrays.arrays(
    np.float32,
    st.tuples(st.integers(0, 4), st.integers(1, 60)),
    elements=st.sampled_from([0.0, 1.0, 2.0, NAN, float("-inf")]),
)


def test_by_hand() -> None:
    scores = np.array([[1.0, NAN, 3.0, 2.0], [-np.inf, 5.0, NAN, -np.inf]], dtype=np.float32)
    assert top_k(scores, 2).tolist() == [[2, 3], [1, PAD]]
    assert top_k(scores, 9).tolist() == [[2, 3, 0, PAD], [1, PAD, PAD, PAD]]
    assert top_k(scores, 0).shape == (2, 0)


def test_a_tie_for_the_last_place_goes_to_the_lower_column() -> None:
    scores = np.zeros((1, 500), dtype=np.float32)
    scores[0, 499] = 1
    assert top_k(scores, 4).tolist() == [[499, 0, 1, 2]]


def stable_sort_cut_short(scores: np.ndarray, k: int) -> np.ndarray:
    keyed = np.where(np.isnan(scores), -np.inf, scores)
    order = np.argsort(-keyed, axis=1, kind="stable")[:, :k]
    shown = np.take_along_axis(keyed, order, axis=1) > -np.inf
    return np.where(shown, order, PAD)


@given(FEW_VALUES, st.integers(1, 70))
def test_it_is_a_stable_sort_cut_short(scores: np.ndarray, k: int) -> None:
    np.testing.assert_array_equal(top_k(scores, k), stable_sort_cut_short(scores, k))


WIDE_ROWS = arrays.arrays(
    np.float32,
    st.tuples(st.integers(0, 5), st.integers(100, 300)),
    elements=st.sampled_from([0.0, 1.0, 2.0, 3.0, NAN, float("-inf")]) | st.floats(0, 3, width=32),
)


@given(WIDE_ROWS, st.integers(1, 7))
def test_it_is_so_in_wide_rows(scores: np.ndarray, k: int) -> None:
    np.testing.assert_array_equal(top_k(scores, k), stable_sort_cut_short(scores, k))


@pytest.mark.parametrize("k", [1, 7, 100, 600])
def test_wide_rows_of_every_kind_at_once(k: int) -> None:
    rng = np.random.default_rng(0)
    rows = [rng.normal(size=5_000), rng.random(5_000) * (rng.random(5_000) < 0.01), np.zeros(5_000)]
    rows += [
        np.full(5_000, NAN),
        np.where(rng.random(5_000) < 0.002, 1.0, -np.inf),
        rng.integers(0, 9, 5_000).astype(np.float64),
    ]
    scores = np.array(rows, dtype=np.float32)
    np.testing.assert_array_equal(top_k(scores, k), stable_sort_cut_short(scores, k))


@pytest.mark.parametrize("m", [200, 3_000, 5_000])
def test_many_rows_at_once_are_as_each_alone(m: int) -> None:
    scores = np.random.default_rng(1).integers(0, 40, (1_500, m)).astype(np.float32)
    alone = np.concatenate([top_k(row[None], 5) for row in scores])
    np.testing.assert_array_equal(top_k(scores, 5), alone)


def test_gather_leaves_padding_unscored() -> None:
    found = gather(np.array([[1, 2], [3, 4]], dtype=np.float32), np.array([[1, PAD], [0, 1]], dtype=np.int32))
    np.testing.assert_array_equal(found, np.array([[2, NAN], [3, 4]], dtype=np.float32))


@pytest.mark.parametrize("rows", [10, 100_000])
def test_a_stored_array_is_what_was_saved_and_a_large_one_is_mapped(rows: int, tmp_path: Path) -> None:
    saved = np.arange(rows * 2, dtype=np.float32).reshape(rows, 2)
    np.save(tmp_path / "saved.npy", saved)
    found = stored(tmp_path / "saved.npy")
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, saved)
    mapped = str(tmp_path / "saved.npy") in Path("/proc/self/maps").read_text()
    assert (mapped, found.flags.writeable) == ((True, False) if saved.nbytes >= MAPPED_BYTES else (False, True))


def test_a_stored_array_holds_no_objects(tmp_path: Path) -> None:
    np.save(tmp_path / "saved.npy", np.array([{}] * 100_000), allow_pickle=True)
    with pytest.raises(ValueError, match="Python objects"):
        stored(tmp_path / "saved.npy")
