"""What users took after searching.

A user's events up to half an hour after a search, and before the next one, answer it: looked at or clicked 1, put into
the cart 2, bought 3.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.moments import microseconds

SEARCHES_FILE = "searches.parquet"
WITHIN = 30 * 60 * 1_000_000  # µs after a search
GRADES: Mapping[str, float] = {"view": 1.0, "click": 1.0, "cart": 2.0, "purchase": 3.0}


def answered(searches: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """What followed each search.

    Args:
        searches: user, query, timestamp; user is a row number.
        events: user, item, event, timestamp, of items only.

    Returns:
        search (row number in *searches*), item, grade: the highest of its events; by search and item.
    """
    asked = pd.DataFrame(
        {
            c.USER: searches[c.USER].to_numpy(),
            "at": microseconds(searches[c.TIMESTAMP]),
            "search": np.arange(len(searches)),
        }
    ).sort_values("at", kind="stable")
    told = events[events[c.EVENT].isin(GRADES)]
    taken = pd.DataFrame(
        {
            c.USER: told[c.USER].to_numpy(),
            "at": microseconds(told[c.TIMESTAMP]),
            c.ITEM: told[c.ITEM].to_numpy(),
            c.GRADE: told[c.EVENT].map(GRADES).to_numpy(),
        }
    ).sort_values("at", kind="stable")
    asked[c.USER] = asked[c.USER].astype(np.int64)
    taken[c.USER] = taken[c.USER].astype(np.int64)
    met = pd.merge_asof(taken, asked, on="at", by=c.USER, tolerance=WITHIN).dropna(subset="search")
    met["search"] = met["search"].astype(np.int64)
    return met.groupby(["search", c.ITEM], sort=True)[c.GRADE].max().reset_index()
