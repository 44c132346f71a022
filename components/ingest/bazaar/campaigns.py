"""Promotions whose effect is known because chance decides whom they target, and ads with bids."""

import numpy as np
import pandas as pd

from components.common import columns as c
from components.ingest.bazaar.config import DAY, DAYS, SECOND, BazaarConfig
from components.ingest.bazaar.sessions import SESSION, event_rows, quantities
from components.ingest.bazaar.words import CATEGORY_NAMES, CATEGORY_OF
from components.ingest.bazaar.world import Items, World, type_shares
from serving.arrays import Floats

PROMOTIONS, LENGTH, ITEMS_EACH, TARGETED = 12, 14, 20, 0.3  # two weeks in each of the first 12 times four weeks
WEEKS = 28  # days from one promotion, or one set of ads, to the next
LIFT = (0.03, 0.09)  # how likely a targeted user with average taste buys because of the campaign
MOST = 0.6
NO_SESSION = -1


def make_promotions(config: BazaarConfig, items: Items) -> pd.DataFrame:
    """A row per promotion and item: place (0, 1, ...), item, category, starts, ends (days), discount, lift."""
    rng = config.rng("promotions")
    discounts = rng.choice([0.1, 0.15, 0.2, 0.3], PROMOTIONS)
    lifts = np.round(rng.uniform(*LIFT, PROMOTIONS), 4)
    parts = []
    for place, category in enumerate(rng.permutation(len(CATEGORY_NAMES))[:PROMOTIONS]):
        starts = place * WEEKS + 7
        there = (CATEGORY_OF[items.type] == category) & (items.created < starts) & items.available & ~items.photo_only
        found = np.flatnonzero(there)
        chosen = np.sort(rng.permutation(found)[:ITEMS_EACH])
        values = {"category": category, "starts": starts, "ends": starts + LENGTH}
        values |= {c.DISCOUNT: discounts[place], "lift": lifts[place]}
        parts.append(pd.DataFrame({"place": place, c.ITEM: chosen, **values}))
    return pd.concat(parts, ignore_index=True)


def make_targets(config: BazaarConfig, world: World, promotions: pd.DataFrame) -> pd.DataFrame:
    """Whom chance targets: place, user, uplift (probability of a purchase that would not be there without)."""
    rng = config.rng("targets")
    shares = np.diff(type_shares(world.users.types), axis=1, prepend=np.float32(0))
    parts = []
    for place, rows in promotions.groupby("place"):
        users = np.flatnonzero(rng.random(len(world.users)) < TARGETED)
        share = shares[users][:, rows["category"].iloc[0] == CATEGORY_OF].sum(axis=1)
        uplift = np.minimum(rows["lift"].iloc[0] * (0.4 + 0.6 * share * len(CATEGORY_NAMES)), MOST)
        parts.append(pd.DataFrame({"place": place, c.USER: users, "uplift": uplift}))
    return pd.concat(parts, ignore_index=True)


def lifted(
    config: BazaarConfig, world: World, promotions: pd.DataFrame, targets: pd.DataFrame, block: int
) -> pd.DataFrame:
    """The purchases that campaigns cause among *targets*: user, item, session (-1), event, time, value."""
    rng = config.rng("lifted", block)
    moved = targets[rng.random(len(targets)) < targets["uplift"]]
    parts = [pd.DataFrame({name: np.empty(0, dtype=np.int64) for name in (c.USER, c.ITEM, SESSION, "time")})]
    for place, rows in moved.groupby("place"):
        of = promotions[promotions["place"] == place]
        items, users = of[c.ITEM].to_numpy(), rows[c.USER].to_numpy()
        liking: Floats = world.affinity(users[:, None], items[None, :])
        chosen = items[np.argmax(liking + rng.gumbel(size=liking.shape), axis=1)]
        first, last = int(of["starts"].iloc[0]) * DAY, int(of["ends"].iloc[0]) * DAY
        time = rng.integers(first, last - 3600 * SECOND, len(rows))
        parts.append(pd.DataFrame({c.USER: users, c.ITEM: chosen, SESSION: NO_SESSION, "time": time}))
    bought = pd.concat(parts, ignore_index=True)
    return event_rows("purchase", bought, 0.0, quantities(len(bought), rng))


def redeem(events: pd.DataFrame, promotions: pd.DataFrame, targets: pd.DataFrame, n_items: int) -> pd.DataFrame:
    """*events* with place (of the promotion, -1 none) and discount: every purchase of a promoted item by its targets.

    Those who would have bought anyway take the discount too, so redemptions exceed what the campaign causes.
    """
    place, discount = np.full(len(events), -1), np.zeros(len(events))
    when = events["time"].to_numpy() / DAY
    running = np.minimum(when // WEEKS, PROMOTIONS - 1).astype(np.int64)
    starts = running * WEEKS + 7
    inside = (events[c.EVENT] == "purchase").to_numpy() & (when >= starts) & (when < starts + LENGTH)
    promoted = promotions["place"].to_numpy() * n_items + promotions[c.ITEM].to_numpy()
    most = int(events[c.USER].max()) + 1
    chosen = targets["place"].to_numpy() * most + targets[c.USER].to_numpy()
    inside &= np.isin(running * n_items + events[c.ITEM].to_numpy(), promoted)
    inside &= np.isin(running * most + events[c.USER].to_numpy(), chosen[targets[c.USER].to_numpy() < most])
    place[inside] = running[inside]
    by_place = promotions.drop_duplicates("place").set_index("place")[c.DISCOUNT]
    discount[inside] = by_place.reindex(running[inside]).to_numpy()
    return events.assign(place=place, discount=discount)


def make_ads(config: BazaarConfig, items: Items) -> pd.DataFrame:
    """Items that pay to be seen: number, item, starts, ends (days), bid for a click; equally many run at any time."""
    rng = config.rng("ads")
    running = max(4, config.items // 100)
    parts = []
    for starts in range(0, DAYS, WEEKS):
        there = np.flatnonzero((items.created < starts) & items.available)
        chosen = rng.choice(there, running, replace=False)
        bids = np.round(rng.uniform(0.05, 0.6, running), 2)
        parts.append(pd.DataFrame({c.ITEM: chosen, "starts": starts, "ends": starts + WEEKS, c.BID: bids}))
    ads = pd.concat(parts, ignore_index=True)
    return ads.assign(number=np.arange(len(ads)))
