"""New items of campaigns: weights from what users took of campaigns that had ended before the test."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from components.common import columns as c
from components.common.moments import microseconds
from components.common.prepared import Cut, Prepared
from components.fuse.lists import FitSet
from components.fuse.options import Options
from components.fuse.pools import answers_to, enough, join
from serving.arrays import gather
from serving.blend import TaskFusion
from serving.campaigns import Campaigns
from serving.engine import Engine
from serving.features import HistoricalStates
from serving.queries import DISCOVERY, RECOMMEND

PAIRS, BATCH = 400, 128  # of a user and a campaign, of each fit window; scored at once
FEWEST_PAIRS = 100  # in all fit windows; with fewer the blend of discovery stays
METHODS = ("least_squares_non_negative", "softmax_firm")  # linear: seconds, not minutes


def offer_sets(
    engines: Mapping[str, Engine], shop: Prepared, campaigns: Campaigns, states: Path, seed: int
) -> list[FitSet]:
    """One set of each fit window: of a campaign's items that were new to a user, what the user took while it ran.

    None where all windows together teach too little.
    """
    found = []
    for cut in shop.split.fits:
        path, engine = states / f"{cut.name}.parquet", engines[cut.name]
        if path.exists() and answers_to(engine, RECOMMEND):
            fit = _offer_set(engine, shop, cut, campaigns, HistoricalStates.load(path, engine.catalogue), seed)
            found.append(fit)
    return enough(found, FEWEST_PAIRS)


def offer_options(folds: int, seed: int) -> Options:
    """Linear blends; where a member is absent, the weights of the others grow."""
    return Options(folds=folds, seed=seed, only=METHODS, absences=False)


def held_by_nothing(fusion: TaskFusion) -> TaskFusion:
    """The same blends without reach and seats: what a campaign offers is what it wants seen, however well it sells."""
    methods = {name: blend.model_copy(update={"reach": 0.0, "seats": 0}) for name, blend in fusion.methods.items()}
    return TaskFusion(chosen=fusion.chosen, methods=methods)


def taken_new(shop: Prepared, cut: Cut, campaigns: Campaigns) -> pd.DataFrame:
    """user, campaign_id, item: what was new to a user whom a campaign was for; of campaigns over before the test."""
    offers = campaigns.promotions
    ended = offers.groupby(c.CAMPAIGN_ID)[c.ENDS_AT].transform("max") <= (shop.split.test.as_of or 0)
    there = (offers[c.STARTS_AT] < (cut.until or 0)) & (offers[c.ENDS_AT] > (cut.as_of or 0))
    target = shop.target(cut)
    events = pd.DataFrame({c.USER: target[c.USER], c.ITEM: target[c.ITEM], "at": microseconds(target[c.TIMESTAMP])})
    taken = events.merge(offers[ended & there], on=c.ITEM)
    taken = taken[(taken["at"] >= taken[c.STARTS_AT]) & (taken["at"] < taken[c.ENDS_AT])]
    taken = taken[[c.USER, c.CAMPAIGN_ID, c.ITEM]].drop_duplicates()
    ids = shop.users[c.USER_ID].astype(str).to_numpy()
    pairs = zip(taken[c.CAMPAIGN_ID], ids[taken[c.USER]], strict=True)
    meant = [name not in campaigns.targets or user in campaigns.targets[name] for name, user in pairs]
    taken = taken[np.array(meant, dtype=bool)]
    met = shop.history(cut)[[c.USER, c.ITEM]].drop_duplicates().assign(met=True)
    merged = taken.merge(met, on=[c.USER, c.ITEM], how="left")
    return merged.loc[merged["met"].isna(), [c.USER, c.CAMPAIGN_ID, c.ITEM]]


def _offer_set(
    engine: Engine, shop: Prepared, cut: Cut, campaigns: Campaigns, history: HistoricalStates, seed: int
) -> FitSet | None:
    taken, ids = taken_new(shop, cut, campaigns), shop.users[c.USER_ID].astype(str).to_numpy()
    taken = taken[np.isin(ids[taken[c.USER]], history.user_ids)]
    pairs = taken[[c.USER, c.CAMPAIGN_ID]].drop_duplicates().sort_values([c.USER, c.CAMPAIGN_ID])
    if not len(pairs):
        return None
    chosen = np.sort(np.random.default_rng(seed).permutation(len(pairs))[:PAIRS])
    pairs = pairs.iloc[chosen].reset_index(drop=True)
    wanted = pairs.reset_index(names="pair").merge(taken, on=[c.USER, c.CAMPAIGN_ID])
    shape = (len(pairs), len(engine.catalogue))
    truth = sparse.csr_matrix((np.ones(len(wanted), np.float32), (wanted["pair"], wanted[c.ITEM])), shape=shape)
    of_campaign = {name: part.to_numpy() for name, part in campaigns.promotions.groupby(c.CAMPAIGN_ID)[c.ITEM]}
    pools, labels = [], []
    for start in range(0, len(pairs), BATCH):
        part = pairs.iloc[start : start + BATCH]
        allowed = np.zeros((len(part), shape[1]), dtype=bool)
        for row, name in enumerate(part[c.CAMPAIGN_ID]):
            allowed[row, of_campaign[name]] = True
        states = history.states(list(ids[part[c.USER]]), cut.as_of)
        pool = engine.pool(engine.queries(RECOMMEND, states), DISCOVERY, allowed)
        pools.append(pool)
        labels.append(np.nan_to_num(gather(truth[start : start + BATCH].toarray(), pool.candidates)))
    return join(pools, labels, np.diff(truth.indptr).astype(np.int64), pairs[c.USER].to_numpy(np.int64), None)
