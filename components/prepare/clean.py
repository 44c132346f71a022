"""The corrections of cleaning: each is one small function, named and counted in cleaning.json."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.common import columns as c
from components.common.corrections import Correction

OUTLIER_QUANTILE = 0.999


def drop_exact_duplicates(events: pd.DataFrame) -> tuple[pd.DataFrame, Correction]:
    """Keep the first of events that are equal in every column."""
    kept = events[~events.duplicated()]
    why = "the same event sent twice would count twice"
    return kept, Correction("exact_duplicate_events", "events", why, len(events), rows_out=len(kept))


def drop_empty_purchases(events: pd.DataFrame) -> tuple[pd.DataFrame, Correction]:
    """Remove purchases of a quantity of zero or less; an unknown quantity is kept."""
    empty = (events[c.EVENT] == "purchase") & (events[c.VALUE] <= 0)
    kept = events[~empty]
    why = "a purchase of nothing is a return or a booking line, not an interest"
    return kept, Correction("non_positive_purchases", "events", why, len(events), rows_out=len(kept))


def clip_quantities(events: pd.DataFrame, train: npt.NDArray[np.bool_]) -> tuple[pd.DataFrame, Correction]:
    """Clip purchased quantities at a high quantile of the *train* (n_events,) purchases."""
    purchases = (events[c.EVENT] == "purchase").to_numpy()
    values = events[c.VALUE].to_numpy(dtype=np.float64)
    known = values[purchases & train & np.isfinite(values)]
    ceiling = float(np.quantile(known, OUTLIER_QUANTILE)) if len(known) else np.inf
    above = purchases & (values > ceiling)
    why = f"quantities above the {OUTLIER_QUANTILE} quantile of training are weights or slips of the till"
    clipped = events.assign(**{c.VALUE: np.where(above, ceiling, values)}) if above.any() else events
    return clipped, Correction("outlier_quantities", "events", why, len(events), changed=int(above.sum()))


def tidy_text(items: pd.DataFrame, column: str) -> tuple[pd.DataFrame, Correction]:
    """Collapse runs of white space in a text column and strip its ends."""
    before = items[column].fillna("").astype(str)
    after = before.str.replace(r"\s+", " ", regex=True).str.strip()
    why = "white space is no difference between texts"
    done = Correction(f"white_space_in_{column}", "items", why, len(items), changed=int((before != after).sum()))
    return items.assign(**{column: after}), done


def fill_prices(
    items: pd.DataFrame, events: pd.DataFrame, train: npt.NDArray[np.bool_]
) -> tuple[pd.DataFrame, Correction]:
    """Give items without a price the median price of their *train* events (item = row of *items*)."""
    prices = pd.to_numeric(items[c.PRICE], errors="coerce").astype("float64")
    paid = events.loc[train & (events[c.PRICE] > 0).to_numpy()].groupby(c.ITEM)[c.PRICE].median()
    filled = prices.where(prices.notna(), pd.Series(paid.reindex(range(len(items))).to_numpy(), index=items.index))
    changed = int((prices.isna() & filled.notna()).sum())
    why = "the price paid in training stands for a price the items table does not hold"
    return items.assign(**{c.PRICE: filled}), Correction("price_from_events", "items", why, len(items), changed=changed)
