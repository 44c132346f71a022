"""A prepared shop of one fit window with the events it is given, without texts, and an engine over given members."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.config import ShopConfig
from components.common.prepared import Cut, Prepared, Split
from serving.catalogue import Catalogue
from serving.engine import Engine
from serving.members.base import Member


def window_shop(events: pd.DataFrame, n_items: int, members: Mapping[str, Member]) -> tuple[Prepared, Engine]:
    """*events*: user, item, event type and visit; all of them in the fit window."""
    cuts = (
        Cut(name="fit", role="fit", members="fit", as_of=100, until=200),
        Cut(name="test", role="test", members="final", as_of=200, until=300),
    )
    items = pd.DataFrame(
        {c.ITEM_ID: [f"i{n}" for n in range(n_items)], c.TITLE: "", c.CATEGORY: "", c.BRAND: "", c.PRICE: 1.0,
         c.PRICE_NORM: np.float32(0), c.AVAILABLE: True}
    )  # fmt: skip
    users = 1 + int(events[c.USER].max())
    people = pd.DataFrame({c.USER_ID: [f"u{n}" for n in range(users)], c.PROFILE: "{}"})
    split = Split(protocol="temporal", seed=0, cuts=cuts, repeats=False, target_events=("purchase",), last_event=300)
    events = events.copy()
    events[c.TIMESTAMP], events[c.FROM_END] = pd.Timestamp(150, unit="us", tz="UTC").as_unit("us"), 0
    return Prepared(events, items, people, split, ShopConfig()), Engine(Catalogue(items), ShopConfig(), members)
