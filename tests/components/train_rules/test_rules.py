from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from member_contract import START, group_of, planted_shop
from scipy import sparse
from text_parts import vectors_of

from components.common import columns as c
from components.common.prepared import Cut, Prepared, Split
from components.train_rules.baskets import JOINED_VISITS, baskets
from components.train_rules.complements import ComplementsConfig, complements
from components.train_rules.given import given
from components.train_rules.run import train_rules
from components.train_rules.substitutes import SubstitutesConfig, kinds, substitutes
from serving.catalogue import Catalogue
from serving.members.base import load_members
from serving.members.relations import Complements, Substitutes

EVERY_PAIR = ComplementsConfig(least_baskets=1)


def visits(rows: list[tuple[int, int, int]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[c.USER, c.VISIT, c.ITEM])


def test_a_basket_is_a_users_visit() -> None:
    rows = baskets(visits([(0, 0, 1), (0, 0, 2), (0, 1, 1), (1, 0, 2), (1, 0, 2)]), 3).toarray()
    assert rows.tolist() == [[0, 1, 1], [0, 1, 0], [0, 0, 1]]


def test_single_item_visits_are_joined_with_their_neighbours_only() -> None:
    long = baskets(visits([(0, visit, visit) for visit in range(8)]), 8)
    together = (long.T @ long).toarray() > 0
    apart = np.abs(np.subtract.outer(np.arange(8), np.arange(8)))
    np.testing.assert_array_equal(together, apart < JOINED_VISITS)


def test_what_lies_between_single_item_visits_does_not_part_them() -> None:
    near, far = (baskets(visits([(0, gap * visit, visit) for visit in range(8)]), 8) for gap in (1, 9))
    np.testing.assert_array_equal((near.T @ near).toarray(), (far.T @ far).toarray())


def test_complements_by_hand() -> None:
    """Baskets {0,1}, {0,1,2}, {2}: pair (0,1) has 1/2 + 1/3, (0,2) and (1,2) have 1/3; each item is in two."""
    taken = sparse.csr_matrix(np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1]], dtype=np.float32))
    found = complements(taken, EVERY_PAIR).toarray()
    share = (1 / 3) / (1 / 2 + 1 / 3)
    np.testing.assert_allclose(found, [[0, 1, share], [1, 0, share], [share, share, 0]], rtol=1e-6)


def test_both_popularities_are_damped() -> None:
    """Items 1 and 2 each meet 0 once; 1 is in four more baskets: its evidence is (1/5)^.3 of the other's."""
    taken = sparse.csr_matrix(np.array([[1, 1, 0], [1, 0, 1], *([[0, 1, 0]] * 4)], dtype=np.float32))
    found = complements(taken, EVERY_PAIR).toarray()
    assert found[0, 1] / found[0, 2] == pytest.approx(0.2**0.3, rel=1e-5)
    assert found[1, 0] / found[2, 0] == pytest.approx(0.2**0.7, rel=1e-5)


def test_pairs_of_one_basket_are_chance_and_rows_are_pruned() -> None:
    taken = sparse.csr_matrix(np.array([[1, 1, 1], [1, 1, 0]], dtype=np.float32))
    assert complements(taken, ComplementsConfig()).toarray().astype(bool).sum() == 2
    assert np.diff(complements(taken, ComplementsConfig(neighbours=1, least_baskets=1)).indptr).max() == 1


def test_rare_categories_are_joined_with_their_parents() -> None:
    groups = kinds(["a > x", "a > x", "a > y", "b", ""], least=2)
    found = {tuple(items.tolist()): candidates.tolist() for items, candidates in groups}
    assert found == {(0, 1): [0, 1], (2,): [0, 1, 2], (3, 4): [0, 1, 2, 3, 4]}


def none_met(n_items: int) -> sparse.csr_matrix:
    return sparse.csr_matrix((0, n_items), dtype=np.float32)


def test_without_behaviour_substitutes_say_the_same_within_the_category() -> None:
    vectors = np.array([[1, 0], [0.8, 0.6], [0, 1], [1, 0]], dtype=np.float32)
    config = SubstitutesConfig(least_group=2, brand_bonus=0.0)
    found = substitutes(vectors, ["a", "a", "a", "b"], [""] * 4, none_met(4), none_met(4), config).toarray()
    assert found[0].argmax() == 1
    assert found[0, 3] == 0  # the same text, but of another kind
    assert found[3].argmax() == 0  # a kind of its own is compared with everything


def test_chosen_at_other_times_counts_for_and_together_does_not() -> None:
    """Users 0-3 met all four items; items 0 and 1 always in one basket, 0 and 2 never."""
    vectors = np.full((4, 1), 1.0, dtype=np.float32)
    users = sparse.csr_matrix(np.ones((4, 4), dtype=np.float32))
    taken = sparse.csr_matrix(np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=np.float32))
    found = substitutes(vectors, [""] * 4, [""] * 4, users, taken, SubstitutesConfig()).toarray()
    assert found[0, 2] == found[0, 3] > found[0, 1] > 0
    assert found[0, 2] / found[0, 1] == pytest.approx(1.5)


def test_the_same_brand_is_a_bonus() -> None:
    vectors = np.full((3, 1), 1.0, dtype=np.float32)
    found = substitutes(vectors, [""] * 3, ["acme", "acme", ""], none_met(3), none_met(3), SubstitutesConfig())
    assert found[0, 1] > found[0, 2]


def relations(folder: Path, rows: list[tuple[str, str, str]]) -> None:
    pd.DataFrame(rows, columns=[c.ITEM_ID, c.RELATED_ID, c.KIND]).to_parquet(folder / "relations.parquet")


def test_the_shops_own_relations_are_read_by_kind(tmp_path: Path) -> None:
    rows = [("a", "b", "complement"), ("a", "b", "complement"), ("b", "c", "substitute"), ("a", "gone", "complement")]
    relations(tmp_path, [*rows, ("c", "c", "complement")])
    assert given(tmp_path, "complement", ["a", "b", "c"]).toarray().tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert given(tmp_path / "none", "complement", ["a"]).nnz == 0


def run(shop: Prepared, folder: Path) -> Path:
    shop.save(folder / "prepared")
    (folder / "embeddings").mkdir()
    np.save(folder / "embeddings" / "text.npy", vectors_of(shop.items))
    train_rules(folder / "prepared", folder / "embeddings", folder / "out", 0)
    return folder / "out"


def test_the_shops_own_relations_come_first(tmp_path: Path) -> None:
    shop = planted_shop()
    (tmp_path / "prepared").mkdir()
    relations(tmp_path / "prepared", [("i00", "i01", "complement"), ("i00", "i02", "substitute")])
    members = load_members(run(shop, tmp_path) / "final", Catalogue(shop.items))
    assert isinstance(members["complements"], Complements)
    assert isinstance(members["substitutes"], Substitutes)
    assert members["complements"].related[0].toarray().argmax() == 1
    assert members["substitutes"].related[0].toarray().argmax() == 2


def test_every_training_finds_the_planted_groups(tmp_path: Path) -> None:
    shop = planted_shop()
    out = run(shop, tmp_path)
    assert {path.name for path in out.iterdir()} == {"fit_1", "final"}
    for name in ("fit_1", "final"):
        member = load_members(out / name, Catalogue(shop.items))["complements"]
        assert isinstance(member, Complements)
        pairs = member.related.tocoo()
        assert (group_of(pairs.row) == group_of(pairs.col)).all()


def test_a_catalogue_alone_has_substitutes_but_no_complements(tmp_path: Path) -> None:
    shop = planted_shop()
    cut = Cut(name="test", role="test", members="final")
    split = Split(protocol="temporal", seed=0, cuts=(cut,), repeats=False, target_events=(), last_event=START)
    alone = Prepared(shop.events.iloc[:0], shop.items, shop.users.iloc[:0], split, shop.shop)
    assert list(load_members(run(alone, tmp_path) / "final", Catalogue(shop.items))) == ["substitutes"]


def test_settings_leave_a_member_out(tmp_path: Path) -> None:
    out, less = run(planted_shop(), tmp_path), tmp_path / "less"
    said = '{"members": {"substitutes": false}}'
    train_rules(tmp_path / "prepared", tmp_path / "embeddings", less, 0, said)
    names = {path.name for path in (out / "final").iterdir()}
    assert {path.name for path in (less / "final").iterdir()} == names - {"substitutes"} < names
