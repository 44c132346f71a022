from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from member_contract import planted_shop
from scipy import sparse

from components.common import columns as c
from components.common.prepared import Prepared, visit_items
from components.train_text.attribute_terms import bands_of, incidence, terms_of, weighted
from components.train_text.attributes import AttributesConfig, Material, fit, train, train_attributes, wanted
from components.train_text.pairs import NextVisits, next_visits


def items_of(**columns: list[object]) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    neutral: dict[str, list[object]] = {
        c.CATEGORY: [""] * n,
        c.BRAND: [""] * n,
        c.PRICE: [np.nan] * n,
        c.ATTRIBUTES: ["{}"] * n,
    }
    return pd.DataFrame(neutral | columns)


def test_terms_hold_every_level_the_brand_and_any_attribute() -> None:
    items = items_of(
        category=["Home > Kitchen"],
        brand=["Acme"],
        attributes=['{"colour": ["Red", "blue"], "size": {"eu": 42}, "vegan": true, "none": null}'],
    )
    levels = ["category:home", "category:home > kitchen"]
    brands = ["brand:acme in home", "brand:acme"]
    assert terms_of(items) == [[*levels, *brands, "colour:red", "colour:blue", "size.eu:42", "vegan:true"]]


@pytest.mark.parametrize("text", ["", "not json", "[1, 2]", '{"story": "' + "long " * 40 + '"}'])
def test_what_is_no_attribute_gives_no_term(text: str) -> None:
    assert terms_of(items_of(attributes=[text])) == [[]]


def test_many_different_numbers_become_bands() -> None:
    items = items_of(attributes=[f'{{"grams": {100 + row}, "pack": {row % 2}}}' for row in range(16)])
    terms = terms_of(items)
    assert [row[-1] for row in terms] == [f"grams:band {row // 2}" for row in range(16)]
    assert terms[3][0] == "pack:1"


def test_bands_are_equally_full_and_unknown_numbers_have_none() -> None:
    found = bands_of(np.append(np.arange(16.0), np.nan))
    assert np.bincount(found[:-1]).tolist() == [2] * 8
    assert found[-1] == -1
    assert set(bands_of(np.full(3, np.nan)).tolist()) == {-1}


def test_incidence_drops_lonely_terms_and_keeps_the_most_frequent() -> None:
    rows = [["a", "b", "a"], ["a", "b", "c"], ["a"]]
    terms, ones = incidence(rows, least_items=2, most_terms=9)
    assert terms == ["a", "b"]
    np.testing.assert_array_equal(ones.toarray(), [[1, 1], [1, 1], [1, 0]])
    assert incidence(rows, 2, 1)[0] == ["a"]


def test_weights_by_hand() -> None:
    """Of two items both have a, one has b: idf 1 and 1 + log(3 / 2)."""
    ones = sparse.csr_matrix(np.array([[1, 0], [1, 1]], dtype=np.float32))
    weight = np.array([1, 1 + np.log(1.5)])
    np.testing.assert_allclose(weighted(ones, 1.0).toarray(), [[1, 0], weight / np.linalg.norm(weight)], rtol=1e-6)
    np.testing.assert_allclose(weighted(ones, 0.0).toarray()[1], [0.5**0.5] * 2, rtol=1e-6)


def test_next_visits_by_hand() -> None:
    """User 0 meets 0, then 0 and 1 and 2, then 1; user 1 has one visit: one visit of one user brought anything new."""
    rows = [(0, 0, 0), (0, 1, 0), (0, 1, 1), (0, 1, 2), (0, 2, 1), (1, 0, 2)]
    seen = next_visits(pd.DataFrame(rows, columns=[c.USER, c.VISIT, c.ITEM]), 3, half_life=1.0, most=10, seed=0)
    np.testing.assert_array_equal(seen.histories.toarray(), [[1, 0, 0]])
    np.testing.assert_array_equal(seen.found.toarray(), [[0, 1, 1]])


def test_the_closed_form_is_the_minimum_of_what_it_says() -> None:
    """With item_reg towards 0 and equal weights, W minimises |R - X W B'|² + history_reg |W B'|² (ridge scaled)."""
    rng = np.random.default_rng(0)
    items = sparse.csr_matrix(rng.random((12, 4)).astype(np.float32))
    histories = sparse.csr_matrix(rng.random((40, 12)).astype(np.float32))
    found = sparse.csr_matrix(np.eye(12, dtype=np.float32)[rng.integers(0, 12, 40)])
    config = AttributesConfig(item_reg=1e-9, history_reg=0.1)
    learned = fit(items, NextVisits(histories, found), np.ones(12), config)
    x, b, y = (histories @ items).toarray(), items.toarray(), found.toarray()
    ridge = 0.1 * np.trace(x.T @ x) / 4

    def loss(w: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> float:
        return float(((y - x @ w @ b.T) ** 2).sum() + ridge * ((w @ b.T) ** 2).sum())

    least = loss(learned)
    for _ in range(20):
        assert loss(learned + rng.normal(0, 1e-2, learned.shape)) > least


def test_dense_blocks_and_sparse_products_agree() -> None:
    """More rows than one block, full enough for the dense way, against the same rows thinned by empty columns."""
    rng = np.random.default_rng(1)
    histories = sparse.csr_matrix(rng.random((1_500, 6)).astype(np.float32))
    found = sparse.csr_matrix(np.eye(6, dtype=np.float32)[rng.integers(0, 6, 1_500)])
    narrow = sparse.csr_matrix(np.eye(6, dtype=np.float32))
    wide = sparse.csr_matrix(np.eye(6, 150, dtype=np.float32))
    ridge = AttributesConfig(history_reg=1e-9, item_reg=1e-9)
    dense = fit(narrow, NextVisits(histories, found), np.ones(6), ridge)
    wide_config = AttributesConfig(history_reg=1e-9 * 25, item_reg=1e-9 * 25)
    sparse_way = fit(wide, NextVisits(histories, found), np.ones(6), wide_config)
    np.testing.assert_allclose(dense, sparse_way[:6, :6], rtol=1e-3, atol=1e-6)


def test_what_follows_is_learned_not_what_is_alike() -> None:
    """Everybody who met a tent meets a lamp next, never another tent."""
    ones = sparse.csr_matrix(np.repeat(np.eye(3, dtype=np.float32), 2, axis=0))  # tents, lamps, ropes
    rows = [(user, visit, item) for user in range(30) for visit, item in enumerate((user % 2, 2 + user % 2))]
    visits = pd.DataFrame(rows, columns=[c.USER, c.VISIT, c.ITEM])
    popularity = np.bincount(visits[c.ITEM], minlength=6).astype(np.float32)
    member = train(Material(ones, visits, popularity), AttributesConfig(), 0)
    assert member.transitions[0].argmax() == 1


def test_a_catalogue_without_attributes_gets_no_member(tmp_path: Path) -> None:
    shop = planted_shop()
    bare = shop.items.copy()
    bare[[c.CATEGORY, c.BRAND]], bare[c.PRICE] = "", np.nan
    silent = Prepared(shop.events, bare, shop.users, shop.split, shop.shop)
    train_attributes(silent, shop.split.test, tmp_path, AttributesConfig(), 0)
    assert not list(tmp_path.iterdir())


def test_an_item_nobody_met_is_not_taken_for_unwanted() -> None:
    """Of the items met by 1 to 11 users, a tenth lies below log(1 + 2)."""
    found = wanted(np.arange(12, dtype=np.float32))
    np.testing.assert_allclose(found[1:], np.log1p(np.arange(1, 12)), rtol=1e-6)
    assert found[0] == pytest.approx(np.log(3))
    assert not wanted(np.zeros(3, np.float32)).any()


def test_baskets_start_from_long_histories() -> None:
    shop = planted_shop()
    visits = visit_items(shop.events, shop.shop)
    ones = sparse.csr_matrix((16, 1), dtype=np.float32)
    assert Material(ones, visits, np.zeros(16, np.float32)).start() == AttributesConfig()
    baskets = visits.assign(**{c.VISIT: visits[c.VISIT] // 3})
    assert Material(ones, baskets, np.zeros(16, np.float32)).start().half_life > AttributesConfig().half_life
