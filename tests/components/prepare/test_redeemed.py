from pathlib import Path

import pandas as pd

from components.common import columns as c
from components.prepare.redeemed import COLUMNS, redeemed

ROWS = [("u", "i", "purchase", None), ("u", "j", "purchase", "7"), ("v", "i", "click", "7")]


def test_only_purchases_that_name_a_campaign_are_kept(tmp_path: Path) -> None:
    events = pd.DataFrame(ROWS, columns=[c.USER_ID, c.ITEM_ID, c.EVENT, c.CAMPAIGN_ID])
    events.assign(**{c.TIMESTAMP: pd.Timestamp(5, unit="us", tz="UTC")}).to_parquet(tmp_path / "events.parquet")
    redeemed(tmp_path / "events.parquet", tmp_path / "out.parquet")
    found = pd.read_parquet(tmp_path / "out.parquet")
    assert found.columns.tolist() == COLUMNS
    assert found[[c.CAMPAIGN_ID, c.USER_ID, c.ITEM_ID]].to_numpy().tolist() == [["7", "u", "j"]]


def test_a_shop_without_campaigns_writes_nothing_and_removes_what_was_there(tmp_path: Path) -> None:
    events = pd.DataFrame(ROWS, columns=[c.USER_ID, c.ITEM_ID, c.EVENT, c.CAMPAIGN_ID]).drop(columns=c.CAMPAIGN_ID)
    events.to_parquet(tmp_path / "events.parquet")
    (tmp_path / "out.parquet").write_text("old")
    redeemed(tmp_path / "events.parquet", tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()
