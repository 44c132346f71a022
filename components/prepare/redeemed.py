"""Purchases under a campaign."""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from components.common import columns as c

REDEMPTIONS_FILE = "redemptions.parquet"
COLUMNS = [c.CAMPAIGN_ID, c.USER_ID, c.ITEM_ID, c.TIMESTAMP]


def redeemed(events: Path, out: Path) -> None:
    """Write the purchases of the *events* table that name a campaign: COLUMNS; nothing where there is none."""
    out.unlink(missing_ok=True)
    if not events.exists() or c.CAMPAIGN_ID not in pq.read_schema(events).names:
        return
    bought = pd.read_parquet(events, columns=COLUMNS, filters=[(c.EVENT, "==", "purchase"), (c.CAMPAIGN_ID, "!=", "")])
    bought = bought.dropna(subset=[c.CAMPAIGN_ID])
    if len(bought):
        bought.to_parquet(out, index=False)
