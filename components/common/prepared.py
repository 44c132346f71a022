"""The prepared shop: integer-coded events, the catalogue and the cuts, as every later stage reads them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.common import columns as c
from components.common.config import Config, Protocol, ShopConfig
from components.common.files import read_json, write_json
from components.common.moments import microseconds

EVENTS_FILE, ITEMS_FILE, USERS_FILE, SPLIT_FILE, SHOP_FILE = (
    "events.parquet",
    "items.parquet",
    "users.parquet",
    "split.json",
    "shop.json",
)
REVIEWS_FILE = "reviews.parquet"
REVIEW_COLUMNS = (c.USER, c.ITEM, c.TIMESTAMP, c.VALUE, c.TEXT, c.FROM_END)


class Cut(Config):
    """One way to divide the events into what members learn from, what is known of a user, and what comes next.

    Temporal: train = history = before `as_of`; target = [`as_of`, `until`). Leave-one-out: by each user's own
    order, `hold_out` = how many events from the end the target stands (0 = last); history is all before it.
    """

    name: str
    role: Literal["fit", "test"]
    members: str  # name of the folder of members used with this cut; cuts of one name share one training
    as_of: int | None = None  # microseconds since the epoch, UTC
    until: int | None = None
    hold_out: int | None = None
    train_from_end: int = 2  # leave-one-out: members learn from events at least this far from the end


class Split(Config):
    """Protocol, cuts and tasks of a run."""

    protocol: Protocol
    seed: int
    cuts: tuple[Cut, ...]
    repeats: bool  # do users meet the same item again: both tasks are reported
    target_events: tuple[str, ...]
    last_event: int  # microseconds; the clock of the demo

    @property
    def trainings(self) -> tuple[Cut, ...]:
        """One cut per distinct training of members, fit cuts first."""
        return tuple({cut.members: cut for cut in reversed(self.cuts)}.values())[::-1]

    @property
    def tuning(self) -> Cut:
        """The cut on whose training members choose their numbers: the newest that the test has no part in."""
        return self.fits[-1] if self.fits else self.test

    @property
    def test(self) -> Cut:
        """The cut on which the release is evaluated."""
        return next(cut for cut in self.cuts if cut.role == "test")

    @property
    def fits(self) -> tuple[Cut, ...]:
        """The cuts on which fusion weights are fitted."""
        return tuple(cut for cut in self.cuts if cut.role == "fit")


@dataclass(frozen=True)
class Prepared:
    """A prepared folder in memory.

    events: user, item (int32 row numbers of users and items), event, timestamp (datetime64[us, UTC]), value, price,
    visit (int32, number of the user's distinct timestamp, oldest 0), from_end (int32, 0 = the user's last event;
    users with fewer than three events start at 3, so that they only train);
    sorted by user, timestamp. reviews: the events that hold a text, REVIEW_COLUMNS; None: nobody wrote anything.
    """

    events: pd.DataFrame
    items: pd.DataFrame
    users: pd.DataFrame
    split: Split
    shop: ShopConfig
    reviews: pd.DataFrame | None = None

    @classmethod
    def load(cls, folder: Path) -> "Prepared":
        """Read what `save` wrote."""
        return cls(
            events=pd.read_parquet(folder / EVENTS_FILE),
            items=pd.read_parquet(folder / ITEMS_FILE),
            users=pd.read_parquet(folder / USERS_FILE),
            split=Split(**read_json(folder / SPLIT_FILE)),
            shop=ShopConfig(**read_json(folder / SHOP_FILE)),
            reviews=pd.read_parquet(folder / REVIEWS_FILE) if (folder / REVIEWS_FILE).exists() else None,
        )

    def save(self, folder: Path) -> None:
        """Write the tables as Parquet (microsecond timestamps) and the rest as JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        self.events.to_parquet(folder / EVENTS_FILE, index=False)
        self.items.to_parquet(folder / ITEMS_FILE, index=False)
        self.users.to_parquet(folder / USERS_FILE, index=False)
        write_json(folder / SPLIT_FILE, self.split.model_dump(mode="json"))
        write_json(folder / SHOP_FILE, self.shop.model_dump(mode="json"))
        (folder / REVIEWS_FILE).unlink(missing_ok=True)
        if self.reviews is not None:
            self.reviews.to_parquet(folder / REVIEWS_FILE, index=False)

    def counts(self) -> dict[str, int]:
        """Sizes; train, fit and test in events, none twice: train is what the first cut's members learn from."""
        first = self.split.fits[0] if self.split.fits else self.split.test
        return {
            "users": len(self.users),
            "items": len(self.items),
            "events": len(self.events),
            "train": len(self.train(first)),
            "fit": sum(len(self.target(cut)) for cut in self.split.fits),
            "test": len(self.target(self.split.test)),
        }

    @cached_property
    def _microseconds(self) -> npt.NDArray[np.int64]:
        return microseconds(self.events[c.TIMESTAMP])

    def _between(self, start: int | None, end: int | None) -> pd.DataFrame:
        """Events in [start, end); none at all where the cut has no clock (a shop without events)."""
        if end is None:
            return self.events.iloc[:0]
        inside = self._microseconds < end
        if start is not None:
            inside &= self._microseconds >= start
        return self.events[inside]

    def train(self, cut: Cut) -> pd.DataFrame:
        """Events the members of *cut* may learn from."""
        if cut.hold_out is None:
            return self._between(None, cut.as_of)
        return self.events[self.events[c.FROM_END] >= cut.train_from_end]

    def train_reviews(self, cut: Cut) -> pd.DataFrame:
        """Reviews the members of *cut* may learn from: REVIEW_COLUMNS, by user and time."""
        if self.reviews is None:
            return pd.DataFrame(columns=list(REVIEW_COLUMNS))
        if cut.hold_out is not None:
            return self.reviews[self.reviews[c.FROM_END] >= cut.train_from_end]
        if cut.as_of is None:
            return self.reviews.iloc[:0]
        return self.reviews[microseconds(self.reviews[c.TIMESTAMP]) < cut.as_of]

    def history(self, cut: Cut) -> pd.DataFrame:
        """Events known of each user when *cut* is answered."""
        if cut.hold_out is None:
            return self.train(cut)
        return self.events[self.events[c.FROM_END] > cut.hold_out]

    def target(self, cut: Cut) -> pd.DataFrame:
        """Events that come next: what is relevant, before removing seen items for the discovery task."""
        window = self.window(cut)
        return window if cut.hold_out is not None else window[window[c.EVENT].isin(self.split.target_events)]

    def window(self, cut: Cut) -> pd.DataFrame:
        """Events of every kind that come next."""
        if cut.hold_out is not None:
            return self.events[self.events[c.FROM_END] == cut.hold_out]
        return self._between(cut.as_of, cut.until)


def visit_items(events: pd.DataFrame, shop: ShopConfig) -> pd.DataFrame:
    """One row per user, visit and item of prepared *events*: user, visit, item, at (µs), weight (its heaviest event).

    Sorted by user, visit, item.
    """
    frame = pd.DataFrame(
        {
            c.USER: events[c.USER].to_numpy(),
            c.VISIT: events[c.VISIT].to_numpy(),
            c.ITEM: events[c.ITEM].to_numpy(),
            "at": microseconds(events[c.TIMESTAMP]),
            "weight": events[c.EVENT].map(shop.event_weights).fillna(1.0).to_numpy(dtype=np.float32),
        }
    )
    frame = frame.sort_values([c.USER, c.VISIT, c.ITEM, "weight"], kind="stable")
    return frame.drop_duplicates([c.USER, c.VISIT, c.ITEM], keep="last").reset_index(drop=True)
