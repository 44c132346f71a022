"""Who answers a campaign: learned from campaigns that had ended before the test."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.common import columns as c
from components.common.moments import microseconds
from components.common.prepared import Cut, Prepared
from components.fuse.clicks import likeliest
from serving.audience import FEATURES, AudienceModel, features
from serving.campaigns import Campaigns
from serving.catalogue import Catalogue
from serving.features import HistoricalStates

Doubles = npt.NDArray[np.float64]
FEWEST = 50  # pairs of a user and a campaign that came to a purchase, and that did not
OPEN_USERS = 300  # of those whom a campaign for everybody reached


def fit_audience(shop: Prepared, catalogue: Catalogue, campaigns: Campaigns, states: Path) -> AudienceModel | None:
    """The likeliest P(user takes something of the campaign while it runs).

    Args:
        shop: prepared.
        catalogue: its items.
        campaigns: all of them, with the users they are meant for.
        states: folder of `<cut>.parquet`.

    Returns:
        None where the fit windows hold too few answers to campaigns that had ended at the test's start.
    """
    parts = [pairs(shop, catalogue, cut, campaigns, states / f"{cut.name}.parquet") for cut in shop.split.fits]
    x = np.concatenate([np.empty((0, len(FEATURES))), *(part[0] for part in parts)])
    answered = np.concatenate([np.empty(0), *(part[1] for part in parts)])
    if min(answered.sum(), (1 - answered).sum()) < FEWEST:
        return None
    means, scales = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
    standard = np.concatenate([np.ones((len(x), 1)), (x - means) / scales], axis=1)
    weights = likeliest(standard, answered, np.ones(len(x)))
    numbers = {"means": means, "scales": scales, "weights": weights[1:]}
    return AudienceModel(intercept=float(weights[0]), **{name: tuple(one.tolist()) for name, one in numbers.items()})


def pairs(
    shop: Prepared, catalogue: Catalogue, cut: Cut, campaigns: Campaigns, states: Path
) -> tuple[Doubles, Doubles]:
    """Features of every user whom a campaign reached in the window, and whether the user took something of it."""
    empty = np.empty((0, len(FEATURES))), np.empty(0)
    if cut.as_of is None or cut.until is None or not states.exists():
        return empty
    history = HistoricalStates.load(states, catalogue)
    ids = shop.users[c.USER_ID].astype(str).to_numpy()
    known = [str(user) for user in ids[np.isin(ids, history.user_ids)]]  # an order that no key of pseudonyms decides
    target = shop.target(cut)
    events = pd.DataFrame(
        {c.USER_ID: ids[target[c.USER]], c.ITEM: target[c.ITEM], "at": microseconds(target[c.TIMESTAMP])}
    )
    offers = campaigns.promotions
    ended = offers.groupby(c.CAMPAIGN_ID)[c.ENDS_AT].transform("max") <= (shop.split.test.as_of or 0)
    there = (offers[c.STARTS_AT] < cut.until) & (offers[c.ENDS_AT] > cut.as_of)
    found = [empty]
    for name, part in offers[ended & there].groupby(c.CAMPAIGN_ID):
        meant = campaigns.targets.get(str(name))
        users = known[:OPEN_USERS] if meant is None else [user for user in known if user in meant]
        items = np.zeros(len(catalogue), dtype=bool)
        items[part[c.ITEM].to_numpy()] = True
        inside = (events["at"] >= part[c.STARTS_AT].min()) & (events["at"] < part[c.ENDS_AT].max())
        took = set(events.loc[inside & items[events[c.ITEM]], c.USER_ID])
        found.append((features(history.states(users), items), np.array([float(user in took) for user in users])))
    return np.concatenate([x for x, _ in found]), np.concatenate([y for _, y in found])
