"""Members kept in fewer bytes: what is rewritten, by how much it may be off, and that they still answer."""

from pathlib import Path

import numpy as np
import pytest
from evaluated_run import Run

from components.common.config import Smaller
from components.common.files import write_json
from components.package.smaller import HALF_BITS, IN_BYTES, halved, make_smaller, size_of, telling
from serving.arrays import stored
from serving.catalogue import Catalogue
from serving.members.als import Als
from serving.members.base import load_members


@pytest.fixture
def members(run: Run) -> Path:
    return run.root / "members" / "final"


def factorised(folder: Path, n: int = 16, d: int = 8) -> np.ndarray:
    """An ALS member of random factors."""
    folder.mkdir()
    factors = np.random.default_rng(0).normal(size=(n, d)).astype(np.float32)
    np.save(folder / "factors.npy", factors)
    np.save(folder / "known.npy", np.ones(n, bool))
    history = {"clock": "days", "counted": True, "half_life": 60.0}
    write_json(folder / "member.json", {"kind": "als", "alpha": 1.0, "reg": 1.0, "history": history})
    return factors


@pytest.mark.parametrize("how", IN_BYTES)
def test_vectors_are_off_by_what_is_promised_and_lists_by_what_was_pruned(
    members: Path, run: Run, how: Smaller
) -> None:
    factors, before = factorised(members / "als"), size_of(members)
    similarity = {name: stored(members / "item_knn" / f"{name}.npy").copy() for name in ("indptr", "indices", "data")}
    changed = make_smaller(members, how)
    assert changed == (("item_knn",) if how == "pruned" else ("als", "item_knn"))
    assert size_of(members) < before
    loaded = load_members(members, Catalogue(run.prepared.items))
    assert isinstance(loaded["als"], Als)
    off = np.abs(loaded["als"].factors - factors)
    most = np.abs(factors).max(axis=1, keepdims=True)
    bound = {"float16": HALF_BITS * most, "int8": most / 254 * 1.001, "pruned-int8": most / 254 * 1.001}
    assert (off <= bound.get(how, np.zeros_like(most))).all()
    data = stored(members / "item_knn" / "data.npy")
    assert data.dtype == np.float32
    if not how.startswith("pruned"):
        np.testing.assert_array_equal(stored(members / "item_knn" / "indices.npy"), similarity["indices"])
        np.testing.assert_allclose(data, similarity["data"], rtol=HALF_BITS)


def test_what_does_not_recommend_stays_byte_for_byte(members: Path) -> None:
    before = {path.name: path.read_bytes() for path in (members / "lexical").iterdir()}
    assert "lexical" not in make_smaller(members, "pruned-int8")
    assert {path.name: path.read_bytes() for path in (members / "lexical").iterdir()} == before


def test_none_changes_nothing_and_twice_is_once(members: Path) -> None:
    def content() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in members.rglob("*.npy")}

    factorised(members / "als")
    before = content()
    assert make_smaller(members, "none") == ()
    assert content() == before
    make_smaller(members, "float16")
    once = content()
    assert make_smaller(members, "float16") == ()
    assert content() == once != before


def test_numbers_too_large_or_too_small_for_half_stay() -> None:
    assert halved(np.array([70_000.0, 1.0], np.float32)) is None
    assert halved(np.array([1e-7, 3e-7], np.float32)) is None
    kept = halved(np.array([np.nan, np.inf, -0.1], np.float32))
    assert kept is not None
    assert kept.dtype == np.float16
    assert np.isnan(kept[0])
    assert kept[1] == np.inf


def test_a_table_that_says_nothing_of_an_item_is_not_kept_as_bytes(members: Path) -> None:
    factors = factorised(members / "als")
    factors[3] = np.nan
    np.save(members / "als" / "factors.npy", factors)
    make_smaller(members, "int8")
    assert np.load(members / "als" / "factors.npy").dtype == np.float16


def test_the_largest_that_together_hold_the_share_are_kept() -> None:
    indptr, data = np.array([0, 4, 4, 6]), np.array([1, -3, 1, 0.1, 2, 2], np.float32)
    # row 0: squares 9, 1, 1, .01 of 11.01; row 1 is empty; row 2: 4, 4 of 8
    assert telling(indptr, data, 0.8).tolist() == [False, True, False, False, True, True]
    assert telling(indptr, data, 0.9).tolist() == [True, True, False, False, True, True]
    assert telling(indptr, data, 0.5).tolist() == [False, True, False, False, True, False]
    assert telling(indptr, data, 1.0).all()
    assert telling(np.array([0, 2]), np.zeros(2, np.float32)).tolist() == [False, False]


def test_pruned_rows_stay_the_rows_they_were(members: Path) -> None:
    folder = members / "item_knn"
    indptr, indices, data = (stored(folder / f"{name}.npy").copy() for name in ("indptr", "indices", "data"))
    data[indptr[1:][np.diff(indptr) > 0] - 1] *= 0.01  # the last of each row says next to nothing
    np.save(folder / "data.npy", data)
    keep = telling(indptr, data)
    assert keep.sum() == len(keep) - 15
    make_smaller(members, "pruned")
    found = [stored(folder / f"{name}.npy") for name in ("indptr", "indices", "data")]
    assert found[0].dtype == indptr.dtype
    for row in range(len(indptr) - 1):
        old, new = slice(*indptr[row : row + 2]), slice(*found[0][row : row + 2])
        assert found[1][new].tolist() == indices[old][keep[old]].tolist()
        assert found[2][new].tolist() == data[old][keep[old]].tolist()
