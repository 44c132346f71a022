"""What is read of the shop's own folder."""

from pathlib import Path

import pandas as pd
import pytest

from components.common.errors import ConfigError
from serving.storefront.own import OFFERED, OwnShop


def test_users_and_queries_are_offered_once_each_in_the_tables_order(tmp_path: Path) -> None:
    pd.DataFrame({"item_id": ["i1"], "title": ["tea"]}).to_parquet(tmp_path / "items.parquet")
    pd.DataFrame({"user_id": [f"u{n:03}" for n in range(OFFERED + 9)]}).to_csv(tmp_path / "users.csv", index=False)
    graded = pd.DataFrame({"query": ["tea", "tea", None, "茶"], "item_id": ["i1"] * 4, "grade": 1.0})
    graded.to_parquet(tmp_path / "judgements.parquet")
    shop = OwnShop.read(tmp_path)
    assert shop.users == tuple(f"u{n:03}" for n in range(OFFERED))
    assert shop.queries == ("tea", "茶")


def test_a_shop_of_items_alone_offers_nothing(tmp_path: Path) -> None:
    pd.DataFrame({"item_id": ["i1"], "title": ["tea"]}).to_csv(tmp_path / "items.csv", index=False)
    assert OwnShop.read(tmp_path) == OwnShop(tmp_path.resolve(), (), ())


def test_another_folder_is_refused_with_what_is_expected(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ConfigError, match=r"holds no items\.parquet or items\.csv"):
            OwnShop.read(folder)
