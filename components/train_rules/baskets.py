"""Which items were taken together."""

import numpy as np
import pandas as pd
from scipy import sparse

from components.common import columns as c

LEAST_SHARE = 0.1  # of visits with two items; below it a visit says nothing, so neighbouring visits are joined
JOINED_VISITS = 4


def baskets(events: pd.DataFrame, n_items: int) -> sparse.csr_matrix:
    """One row per basket: the items of one user's visit.

    Where nearly all visits hold a single item (reviews), a basket is any JOINED_VISITS successive visits of a user.

    Args:
        events: user, visit, item.
        n_items: size of the catalogue.

    Returns:
        (n_baskets, n_items) float32 of ones.
    """
    entries = events[[c.USER, c.VISIT, c.ITEM]].drop_duplicates()
    sizes = entries.groupby([c.USER, c.VISIT]).size()
    if len(sizes) and (sizes > 1).mean() < LEAST_SHARE:
        entries = _joined(entries)
    number = entries.groupby([c.USER, c.VISIT]).ngroup().to_numpy()
    shape = (int(number.max(initial=-1)) + 1, n_items)
    return sparse.csr_matrix((np.ones(len(entries), np.float32), (number, entries[c.ITEM])), shape=shape)


def _joined(entries: pd.DataFrame) -> pd.DataFrame:
    """Each visit's items in the baskets that begin with it and with the visits just before it.

    Visits are counted among these entries: what else a user did in between does not part them.
    """
    entries = entries.assign(**{c.VISIT: entries.groupby(c.USER)[c.VISIT].rank("dense").astype("int64")})
    shifted = [entries.assign(**{c.VISIT: entries[c.VISIT] - back}) for back in range(JOINED_VISITS)]
    return pd.concat(shifted).drop_duplicates()
