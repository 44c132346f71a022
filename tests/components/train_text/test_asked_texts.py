from pathlib import Path

import numpy as np
import pandas as pd
from member_contract import planted_shop

from components.common import columns as c
from components.train_text.asked_texts import of_items, searched
from serving.text import has_chinese


def item(title: str, category: str = "", brand: str = "", description: str = "") -> pd.DataFrame:
    return pd.DataFrame({c.TITLE: [title], c.CATEGORY: [category], c.BRAND: [brand], c.DESCRIPTION: [description]})


def test_an_item_is_asked_for_by_windows_names_and_words_from_anywhere() -> None:
    texts = of_items(item("Red Wool hat", "Clothes > Hats", "Acme Co"), np.random.default_rng(0))
    told = {"red", "wool", "hat", "red wool", "wool hat", "red wool hat", "acme co", "clothes", "hats"}
    assert told | {"acme co clothes", "acme co hats"} <= set(texts)
    rest = set(texts) - told - {"acme co clothes", "acme co hats"}
    assert rest
    assert all(set(text.split()) <= {"red", "wool", "hat", "clothes", "hats"} for text in rest)
    assert len(texts) == len(set(texts))


def test_chinese_is_left_out_and_an_item_without_words_asks_nothing() -> None:
    texts = of_items(item("红色 hat", brand="红"), np.random.default_rng(0))
    assert "hat" in texts
    assert not any(map(has_chinese, texts))
    assert of_items(item(""), np.random.default_rng(0)) == []


def test_searches_are_those_before_the_first_fit_window(tmp_path: Path) -> None:
    shop = planted_shop()
    first = shop.split.fits[0].as_of or 0
    at = pd.to_datetime([first - 1, first - 1, first, first - 2], unit="us", utc=True)
    asked = pd.DataFrame({c.USER: 0, c.QUERY: ["early", "early", "late", "红"], c.TIMESTAMP: at})
    asked.to_parquet(tmp_path / "searches.parquet", index=False)
    assert searched(shop, tmp_path) == ["early"]


def test_without_searches_or_a_clock_there_are_none(tmp_path: Path) -> None:
    assert searched(planted_shop(), tmp_path) == []
    assert searched(planted_shop(protocol="leave-one-out"), tmp_path) == []
