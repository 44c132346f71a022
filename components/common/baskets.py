"""Baskets of which a part is given: what is hidden tells how well the rest is completed."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.common import columns as c

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class HeldBaskets:
    """n baskets of n users.

    users: (n,) codes, ascending. given: of each basket, the catalogue rows that are shown, ascending. rows, items:
    (p,) the pairs (place of the basket, catalogue row) that are hidden, ascending.
    """

    users: Rows
    given: tuple[tuple[int, ...], ...]
    rows: Rows
    items: Rows

    def __len__(self) -> int:
        return len(self.users)


def held_baskets(events: pd.DataFrame, most: int, seed: int) -> HeldBaskets:
    """One basket of each of at most *most* users, drawn by *seed*: one half of it is given, the middle one too.

    A basket is what a user took at one visit, two items at least; users without such a visit are left out.

    Args:
        events: user, visit, item.
        most: users.
        seed: the baskets and their halves follow from it.
    """
    random = np.random.default_rng(seed)
    entries = events[[c.USER, c.VISIT, c.ITEM]].drop_duplicates()
    entries = entries[entries.groupby([c.USER, c.VISIT])[c.ITEM].transform("size") > 1]
    visits = entries[[c.USER, c.VISIT]].drop_duplicates().sort_values([c.USER, c.VISIT])
    visits = visits.iloc[random.permutation(len(visits))].drop_duplicates(c.USER).head(most).sort_values(c.USER)
    entries = visits.merge(entries.sort_values([c.USER, c.VISIT, c.ITEM]), on=[c.USER, c.VISIT])
    place = np.searchsorted(visits[c.USER].to_numpy(), entries[c.USER].to_numpy())
    entries = entries.assign(place=place, chance=random.random(len(entries)))
    rank = entries.groupby("place")["chance"].rank("first").to_numpy()
    shown = rank <= (entries.groupby("place")[c.ITEM].transform("size").to_numpy() + 1) // 2
    given = entries[shown].groupby("place")[c.ITEM].agg(tuple)
    return HeldBaskets(
        visits[c.USER].to_numpy(dtype=np.int64),
        tuple(tuple(int(item) for item in basket) for basket in given),
        place[~shown].astype(np.int64),
        entries[c.ITEM].to_numpy(dtype=np.int64)[~shown],
    )
