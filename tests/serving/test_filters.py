"""Filters as a mask: the edges decided, row by row."""

import numpy as np
import pandas as pd
import pytest

from serving.catalogue import Catalogue
from serving.filters import allowed

NAN = float("nan")
CATALOGUE = Catalogue(
    pd.DataFrame(
        {
            "item_id": list("abcde"),
            "category": ["Food", "Food > Fruit", "Foodstuff", "", "food"],
            "brand": ["Straße", "STRASSE", "", "acme", "Acme"],
            "price": [0.0, 1.0, 2.0, NAN, 3.0],
            "available": [True, False, True, True, False],
        }
    )
)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "abcde"),
        ({"category": "Food"}, "ab"),
        ({"category": "Food > Fruit"}, "b"),
        ({"category": "Food > "}, ""),
        ({"category": "Fruit"}, ""),
        ({"brand": "strasse"}, "ab"),
        ({"brand": "ACME"}, "de"),
        ({"price": [0, 2]}, "abc"),
        ({"price": [1.0, 1.0]}, "b"),
        ({"price": [-1e9, 1e9]}, "abce"),
        ({"available": True}, "acd"),
        ({"available": False}, "be"),
        ({"brand": "acme", "available": True, "price": [0, 9]}, ""),
        ({"brand": "acme", "available": True}, "d"),
    ],
)
def test_what_passes(filters: dict[str, object], expected: str) -> None:
    for _ in range(2):  # the second time from what the catalogue remembers
        mask = allowed(CATALOGUE, filters)
        assert mask.dtype == np.bool_
        assert "".join(np.array(CATALOGUE.ids)[mask]) == expected


def test_a_filter_that_nobody_knows_is_not_passed_over() -> None:
    with pytest.raises(KeyError, match="colour"):
        allowed(CATALOGUE, {"colour": "red"})


def test_an_empty_catalogue() -> None:
    empty = Catalogue(CATALOGUE.items.iloc[:0])
    assert allowed(empty, {"category": "Food", "brand": "a", "price": [0, 1], "available": True}).shape == (0,)
