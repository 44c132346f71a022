from collections.abc import Sequence

import numpy as np
import pandas as pd

from components.common import columns as c
from components.prepare import clean


def events(rows: Sequence[tuple[str, str, str, float | None]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=[c.USER_ID, c.ITEM_ID, c.EVENT, c.VALUE])
    return table.astype({c.VALUE: "float64"})


def test_the_second_of_two_equal_events_goes_and_is_counted() -> None:
    table = events([("a", "x", "view", 1), ("a", "x", "view", 1), ("a", "x", "view", 2), ("a", "x", "view", None)])
    kept, done = clean.drop_exact_duplicates(table)
    assert kept.index.tolist() == [0, 2, 3]
    assert done.report() == {
        "correction": "exact_duplicate_events",
        "table": "events",
        "rows_in": 4,
        "rows_out": 3,
        "why": done.why,
    }


def test_purchases_of_nothing_go_and_unknown_quantities_and_low_ratings_stay() -> None:
    rows = [("a", "x", "purchase", 0.0), ("a", "x", "purchase", -1.0), ("a", "x", "purchase", None)]
    kept, done = clean.drop_empty_purchases(events([*rows, ("a", "x", "rating", 0.0)]))
    assert kept.index.tolist() == [2, 3]
    assert (done.rows_in, done.rows_out) == (4, 2)


def test_quantities_are_clipped_at_what_training_showed() -> None:
    table = events([("a", "x", "purchase", float(n)) for n in [1] * 2000 + [5, 900]] + [("a", "x", "rating", 5000.0)])
    train = np.arange(len(table)) < 2001
    clipped, done = clean.clip_quantities(table, train)
    assert done.changed == 2
    assert clipped[c.VALUE].iloc[:2000].eq(1.0).all()
    assert clipped[c.VALUE].iloc[2000] == clipped[c.VALUE].iloc[2001] == 1.0
    assert clipped[c.VALUE].iloc[2002] == 5000.0


def test_without_training_purchases_nothing_is_clipped() -> None:
    clipped, done = clean.clip_quantities(events([("a", "x", "purchase", 9e9)]), np.array([False]))
    assert (clipped[c.VALUE].tolist(), done.changed) == ([9e9], 0)


def test_white_space_of_any_kind_becomes_one_space() -> None:
    tidy, done = clean.tidy_text(pd.DataFrame({c.TITLE: [" a \t b\n", "a b", None, "全脂　牛奶"]}), c.TITLE)
    assert tidy[c.TITLE].tolist() == ["a b", "a b", "", "全脂 牛奶"]
    assert done.changed == 2


def test_a_missing_price_is_the_median_paid_in_training() -> None:
    items = pd.DataFrame({c.PRICE: [7.0, None, None]}).astype("float64")
    paid = pd.DataFrame({c.ITEM: [0, 1, 1, 1, 1, 2], c.PRICE: [1.0, 2.0, 3.0, 10.0, 0.0, 4.0]})
    filled, done = clean.fill_prices(items, paid, np.array([True] * 5 + [False]))
    np.testing.assert_array_equal(filled[c.PRICE], [7.0, 3.0, np.nan])
    assert done.changed == 1
