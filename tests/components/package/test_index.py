"""Indexes are made for large catalogues, find what they should, and are read as arrays."""

from pathlib import Path

import numpy as np
import pytest
from member_contract import planted_shop

from benchmarks.made_shop import made_engine, made_users
from components.common.errors import ReleaseError
from components.common.files import write_json
from components.package import index as making
from components.package.index import GOAL, index_of, questions, write_indexes
from serving.catalogue import Catalogue
from serving.index import INDEX_FOLDER, VectorIndex
from serving.members.als import Als
from serving.members.base import load_members
from serving.members.dense import Space
from serving.opinion import LARGE

ITEMS = 3_000


@pytest.fixture(scope="module")
def member() -> Als:
    found = made_engine(ITEMS).members["als"]
    assert isinstance(found, Als)
    return found


def indexed(member: Als, seed: int = 0) -> VectorIndex:
    found = index_of(member, questions(member, made_users(ITEMS, 60, seed=3).users, seed), seed)
    assert found is not None
    return found


def written(member: Als, folder: Path) -> Path:
    folder.mkdir(parents=True)
    np.save(folder / "factors.npy", member.factors)
    np.save(folder / "known.npy", member.known)
    write_json(folder / "member.json", {"kind": "als", "alpha": 10.0, "reg": 1.0, "history": {"half_life": 30.0}})
    return folder


def test_an_index_finds_what_it_should_and_is_made_alike_again(member: Als) -> None:
    found, again = indexed(member), indexed(member)
    assert found.measured >= GOAL
    np.testing.assert_array_equal(found.codes, again.codes)
    np.testing.assert_array_equal(found.levels, again.levels)
    assert found.beyond == again.beyond


def test_a_member_is_loaded_with_its_index(member: Als, tmp_path: Path) -> None:
    folder, made = written(member, tmp_path / "members" / "als"), indexed(member)
    made.save(folder)
    loaded = load_members(tmp_path / "members", made_engine(ITEMS).catalogue)["als"]
    assert isinstance(loaded, Als)
    assert loaded.index is not None
    asked = loaded.space.asked(member.factors[:9], False)
    np.testing.assert_array_equal(loaded.index.search(asked, 50), made.search(asked, 50))
    assert loaded.index.beyond == made.beyond
    assert {path.suffix for path in (folder / INDEX_FOLDER).iterdir()} == {".json", ".npy"}


def test_an_index_of_other_items_is_refused(member: Als, tmp_path: Path) -> None:
    folder, made = written(member, tmp_path / "als"), indexed(member)
    made.save(folder)
    with pytest.raises(ReleaseError, match="package it again"):
        VectorIndex.load_if_any(folder, ITEMS - 1)
    np.save(folder / INDEX_FOLDER / "codes.npy", made.codes[:-1])
    with pytest.raises(ReleaseError, match="package it again"):
        VectorIndex.load_if_any(folder, ITEMS)


def test_items_that_are_not_known_are_not_found(member: Als) -> None:
    known = np.arange(ITEMS) % 3 == 0
    some = Als(member.factors, known, member.history, member.alpha, member.reg)
    found = indexed(some).search(some.space.asked(member.factors[:5], False), ITEMS)
    assert set(found[found >= 0].tolist()) <= set(np.flatnonzero(known).tolist())


def test_a_bias_is_a_dimension_of_its_own() -> None:
    rng = np.random.default_rng(0)
    vectors, bias = rng.normal(size=(20, 3)).astype(np.float32), rng.normal(size=20).astype(np.float32)
    space = Space(vectors, np.ones(20, dtype=bool), bias)
    asked, rows = rng.normal(size=(2, 3)).astype(np.float32), np.arange(20, dtype=np.int32)
    assert space.width == 4
    for biased in (True, False):
        products = space.asked(asked, biased) @ space.rows(rows).T
        scores = space.at(asked, biased, np.stack([rows, rows]))
        np.testing.assert_allclose(products, scores, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(scores, asked @ vectors.T + biased * bias, rtol=1e-5, atol=1e-6)


def test_small_catalogues_go_without(tmp_path: Path) -> None:
    shop = planted_shop()
    write_indexes(tmp_path / "nothing", Catalogue(shop.items), shop)
    assert len(shop.items) < LARGE
    assert not (tmp_path / "nothing").exists()


def test_indexes_are_written_beside_the_members_of_a_large_catalogue(
    member: Als, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "LARGE", ITEMS)
    folder = written(member, tmp_path / "members" / "als")
    write_indexes(tmp_path / "members", made_engine(ITEMS).catalogue, planted_shop())
    found = VectorIndex.load_if_any(folder, ITEMS)
    assert found is not None
    assert found.measured >= GOAL
