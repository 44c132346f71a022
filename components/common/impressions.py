"""What a shop showed, and what of it was clicked."""

from pathlib import Path

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.moments import microseconds
from components.common.prepared import Cut, Prepared

IMPRESSIONS_FILE = "impressions.parquet"
ADS, RECOMMEND = "ads", "recommend"  # scenarios of the table
POSITION, PROPENSITY, OUTCOME, SCENARIO, AD, CLICKED = "position", "propensity", "outcome", "scenario", "ad", "clicked"


def impressions(prepared: Path, shop: Prepared, cut: Cut) -> pd.DataFrame:
    """user, item (codes), position, propensity, ad, clicked of what was shown in the window of *cut*.

    Lists that answer a query are left out: what is clicked there depends on the query.
    """
    table = pd.read_parquet(prepared / IMPRESSIONS_FILE)
    times = microseconds(table[c.TIMESTAMP])
    table = table[(times >= (cut.as_of or 0)) & (times < (cut.until or 0)) & table[SCENARIO].isin([ADS, RECOMMEND])]
    users = pd.Index(shop.users[c.USER_ID].astype(str)).get_indexer(pd.Index(table[c.USER_ID]))
    items = pd.Index(shop.items[c.ITEM_ID].astype(str)).get_indexer(pd.Index(table[c.ITEM_ID]))
    found = pd.DataFrame(
        {
            c.USER: users,
            c.ITEM: items,
            POSITION: table[POSITION].to_numpy(dtype=np.int32),
            PROPENSITY: table[PROPENSITY].to_numpy(dtype=np.float64),
            AD: (table[SCENARIO] == ADS).to_numpy(),
            CLICKED: table[OUTCOME].notna().to_numpy(),
        }
    )
    return found[(found[c.USER] >= 0) & (found[c.ITEM] >= 0)]
