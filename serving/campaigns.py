"""Which campaigns run at a moment, over which items, and for whom."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.moments import microseconds
from serving.arrays import PAD, Bools
from serving.catalogue import Catalogue
from serving.instances import Instance
from serving.queries import CAMPAIGN

CAMPAIGNS_FILE, TARGETS_FILE = "campaigns.parquet", "campaign_users.parquet"
IN_STORE = Path("sources") / TARGETS_FILE  # where `materialize` leaves it
AD = "ad"
COLUMNS = {
    c.CAMPAIGN_ID: "object",
    c.ITEM: "int64",
    c.STARTS_AT: "int64",
    c.ENDS_AT: "int64",
    AD: "bool",
    c.BID: "float64",
}
NOBODY = pd.DataFrame({c.CAMPAIGN_ID: [], c.USER_ID: []}, dtype=object)
UNKNOWN, NONE_RUNS = "unknown_campaign", "no_campaign"


class Campaigns:
    """Offers, a row for each item of each campaign, and the users that campaigns are meant for.

    A campaign that names no user is for everybody. An ad is a campaign of kind `ad`; all others are promotions.
    """

    def __init__(self, offers: pd.DataFrame, targets: pd.DataFrame) -> None:
        """Take the offers and the targets.

        Args:
            offers: campaign_id, item (catalogue row), starts_at, ends_at (µs), ad (bool), bid (NaN where none is made).
            targets: campaign_id, user_id (pseudonyms).
        """
        self.offers = offers
        self.targets = {str(name): frozenset(part) for name, part in targets.groupby(c.CAMPAIGN_ID)[c.USER_ID]}

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> "Campaigns":
        """Read the campaigns of a release, for everybody as yet; none where there is no file."""
        path = folder / CAMPAIGNS_FILE
        return cls(_offers(pd.read_parquet(path), catalogue), NOBODY) if path.exists() else cls.none()

    @classmethod
    def none(cls) -> "Campaigns":
        """A shop without campaigns."""
        return cls(pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in COLUMNS.items()}), NOBODY)

    def meant_for(self, path: Path) -> "Campaigns":
        """The same campaigns for the users that the table in *path* names; without a file, for everybody."""
        return Campaigns(self.offers, pd.read_parquet(path)) if path.exists() else self

    def __len__(self) -> int:
        return len(self.offers)

    @cached_property
    def promotions(self) -> pd.DataFrame:
        """The offers that are no ads."""
        return self.offers[~self.offers[AD]]

    @cached_property
    def ads(self) -> pd.DataFrame:
        """The offers that pay for being seen."""
        return self.offers[self.offers[AD]]

    def names(self) -> set[str]:
        """Ids of the promotions."""
        return set(self.promotions[c.CAMPAIGN_ID])

    def for_user(self, user_id: str | None, campaign_id: str | None, as_of: int) -> pd.DataFrame:
        """Promotions that run at *as_of*: of one campaign, or all that are for the user or for everybody."""
        running = at(self.promotions, as_of)
        if campaign_id is not None:
            return running[running[c.CAMPAIGN_ID] == campaign_id]
        return running[np.array([self._is_for(name, user_id) for name in running[c.CAMPAIGN_ID]], dtype=bool)]

    def _is_for(self, name: str, user_id: str | None) -> bool:
        return name not in self.targets or user_id in self.targets[name]


def at(offers: pd.DataFrame, as_of: int) -> pd.DataFrame:
    """Those of *offers* that run at *as_of*: from their first moment to just before their last."""
    return offers[(offers[c.STARTS_AT] <= as_of) & (offers[c.ENDS_AT] > as_of)]


def offered(
    campaigns: Campaigns, instances: Sequence[Instance], n_items: int, as_of: int
) -> tuple[Bools | None, list[list[str]]]:
    """Which items campaigns offer to the users of n questions, and what each question has to do without.

    Returns:
        (n, n_items), all true for questions that are not about campaigns; None where none is.
    """
    if not any(instance.scenario == CAMPAIGN for instance in instances):
        return None, [[] for _ in instances]
    mask = np.ones((len(instances), n_items), dtype=bool)
    lost: list[list[str]] = []
    for row, instance in enumerate(instances):
        if instance.scenario == CAMPAIGN:
            found = campaigns.for_user(instance.user_id, instance.campaign_id, as_of)
            mask[row] = False
            mask[row, found[c.ITEM].to_numpy(dtype=np.int64)] = True
            lost.append(_missing(campaigns, instance, found))
        else:
            lost.append([])
    return mask, lost


def note_campaigns(
    campaigns: Campaigns, instance: Instance, answer: dict[str, Any], as_of: int, rows: dict[str, int]
) -> None:
    """Write to every item of an answer the campaigns it takes part in, the one that ends first in front."""
    found = campaigns.for_user(instance.user_id, instance.campaign_id, as_of).sort_values([c.ENDS_AT, c.CAMPAIGN_ID])
    by_item = found.groupby(c.ITEM)[c.CAMPAIGN_ID].agg(list).to_dict()
    for item in answer["items"]:
        item["campaign_ids"] = by_item.get(rows[item["item_id"]], [])


def _missing(campaigns: Campaigns, instance: Instance, found: pd.DataFrame) -> list[str]:
    if len(found):
        return []
    known = instance.campaign_id is None or instance.campaign_id in campaigns.names()
    return [NONE_RUNS if known else UNKNOWN]


def _offers(raw: pd.DataFrame, catalogue: Catalogue) -> pd.DataFrame:
    """The campaigns table by catalogue rows and µs; items that are not sold are left out."""
    kind = raw[c.KIND] if c.KIND in raw else pd.Series(None, index=raw.index, dtype=object)
    bid = pd.to_numeric(raw[c.BID]) if c.BID in raw else pd.Series(np.nan, index=raw.index)
    table = pd.DataFrame(
        {
            c.CAMPAIGN_ID: raw[c.CAMPAIGN_ID].astype(str).to_numpy(),
            c.ITEM: catalogue.index([str(item) for item in raw[c.ITEM_ID]]).astype(np.int64),
            c.STARTS_AT: microseconds(raw[c.STARTS_AT]),
            c.ENDS_AT: microseconds(raw[c.ENDS_AT]),
            AD: (kind == AD).to_numpy(dtype=bool),
            c.BID: bid.to_numpy(dtype=np.float64),
        }
    )
    return table[table[c.ITEM] != PAD].reset_index(drop=True)
