"""Campaigns: of the items on offer, are those in front that users took while the campaign ran?"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.moments import microseconds
from components.common.prepared import Prepared
from components.common.ranking import Doubles
from components.evaluate.bootstrap import paired
from components.evaluate.judge import WORKERS
from components.evaluate.metrics import auc, mean, relevance_metrics
from components.evaluate.relevance import Relevance
from components.evaluate.summary import NDCG
from serving.arrays import Floats, Ints, top_k
from serving.breadth import POPULARITY
from serving.campaigns import TARGETS_FILE, Campaigns
from serving.engine import Engine
from serving.features import HistoricalStates
from serving.queries import CAMPAIGN, RECOMMEND
from serving.states import UserStates

K, BATCH = 10, 128
MOST = 1_000  # pairs of a user and a campaign that are asked, of each kind; of what is easily told apart, fewer
FEWER = {"purchases": 600, "open: purchases": 300, "open: new": 300}
FUSED, FREQUENCY = "fused", "personal frequency"
REDEMPTIONS_FILE = "redemptions.parquet"


class Asked(NamedTuple):
    """n pairs of a user's code and a campaign's id, and what they are asked for (pair, catalogue row), ascending."""

    users: Ints
    campaigns: list[str]
    wanted: Relevance


def judge_campaigns(engine: Engine, shop: Prepared, prepared: Path, states: Path) -> dict[str, Any] | None:
    """NDCG@10 within each campaign that runs in the test window, for users that it is meant for.

    Asked at the window's start. `purchases`: what such users bought of its items while it ran; `redemptions`: what they
    bought under it; `new`: what they bought and had never met, asked with `new_only`. Where some campaigns name their
    users, these three are about them, and `open: ...` about those that are for everybody.

    Returns:
        By kind {"pairs", "fused", "popularity", "personal frequency", "gain" over the first and "over_frequency"};
        None where no campaign runs in the window or nobody took anything of one.
    """
    cut = shop.split.test
    if cut.as_of is None or cut.until is None or not engine.serves(CAMPAIGN) or not states.exists():
        return None
    campaigns = engine.campaigns.meant_for(prepared / TARGETS_FILE)
    bought = _bought(shop, campaigns, prepared, cut.as_of, cut.until)
    history = HistoricalStates.load(states, engine.catalogue)
    found = {}
    for kind, (taken, new_only) in bought.items():
        pairs = _asked(taken, len(engine.catalogue), FEWER.get(kind, MOST), shop.split.seed)
        if len(pairs.users):
            found[kind] = _summary(_judged(engine, shop, history, pairs, new_only), shop.split.seed)
    return found or None


def _bought(
    shop: Prepared, campaigns: Campaigns, prepared: Path, start: int, end: int
) -> dict[str, tuple[pd.DataFrame, bool]]:
    """By kind, what was taken of campaigns (user, campaign_id, item), and whether only new items are asked for."""
    target = shop.target(shop.split.test)
    events = pd.DataFrame({c.USER: target[c.USER], c.ITEM: target[c.ITEM], "at": microseconds(target[c.TIMESTAMP])})
    offers = campaigns.promotions
    offers = offers[(offers[c.STARTS_AT] < end) & (offers[c.ENDS_AT] > start)]
    taken = events.merge(offers, on=c.ITEM)
    taken = taken[(taken["at"] >= taken[c.STARTS_AT]) & (taken["at"] < taken[c.ENDS_AT])]
    ids = shop.users[c.USER_ID].astype(str).to_numpy()
    pairs = zip(taken[c.CAMPAIGN_ID], ids[taken[c.USER]], strict=True)
    meant = [name not in campaigns.targets or user in campaigns.targets[name] for name, user in pairs]
    taken = taken.loc[meant, [c.USER, c.CAMPAIGN_ID, c.ITEM]].drop_duplicates()
    redeemed = taken.merge(_redeemed(shop, prepared, start, end), on=[c.USER, c.CAMPAIGN_ID, c.ITEM])
    named = taken[c.CAMPAIGN_ID].isin(campaigns.targets)
    new = _new(shop, taken)
    found = {"purchases": (taken, False), "redemptions": (redeemed, False), "new": (new, True)}
    if named.any() and not named.all():
        found = {
            name: (part[part[c.CAMPAIGN_ID].isin(campaigns.targets)], only) for name, (part, only) in found.items()
        }
        found |= {"open: purchases": (taken[~named], False)}
        found |= {"open: new": (new[~new[c.CAMPAIGN_ID].isin(campaigns.targets)], True)}
    return found


def _new(shop: Prepared, taken: pd.DataFrame) -> pd.DataFrame:
    """Those of *taken* that the user had never met before the test."""
    met = shop.history(shop.split.test)[[c.USER, c.ITEM]].drop_duplicates().assign(met=True)
    merged = taken.merge(met, on=[c.USER, c.ITEM], how="left")
    return merged.loc[merged["met"].isna(), taken.columns]


def _redeemed(shop: Prepared, prepared: Path, start: int, end: int) -> pd.DataFrame:
    """user, campaign_id, item of the purchases under a campaign in [start, end)."""
    if not (prepared / REDEMPTIONS_FILE).exists():
        return pd.DataFrame({c.USER: [], c.CAMPAIGN_ID: [], c.ITEM: []}).astype({c.USER: "int32", c.ITEM: "int64"})
    table = pd.read_parquet(prepared / REDEMPTIONS_FILE)
    at = microseconds(table[c.TIMESTAMP])
    table = table[(at >= start) & (at < end)]
    users = pd.Index(shop.users[c.USER_ID].astype(str)).get_indexer(pd.Index(table[c.USER_ID]))
    items = pd.Index(shop.items[c.ITEM_ID].astype(str)).get_indexer(pd.Index(table[c.ITEM_ID]))
    found = pd.DataFrame({c.USER: users, c.CAMPAIGN_ID: table[c.CAMPAIGN_ID].to_numpy(), c.ITEM: items})
    return found[(users >= 0) & (items >= 0)].drop_duplicates()


def _asked(taken: pd.DataFrame, n_items: int, most: int, seed: int) -> Asked:
    """At most *most* pairs of a user and a campaign, drawn by *seed*."""
    pairs = taken[[c.USER, c.CAMPAIGN_ID]].drop_duplicates().sort_values([c.USER, c.CAMPAIGN_ID])
    chosen = np.random.default_rng(seed).permutation(len(pairs))[:most]
    pairs = pairs.iloc[np.sort(chosen)].reset_index(drop=True)
    wanted = pairs.reset_index(names="pair").merge(taken, on=[c.USER, c.CAMPAIGN_ID]).sort_values(["pair", c.ITEM])
    rows, items = wanted["pair"].to_numpy(np.int64), wanted[c.ITEM].to_numpy(np.int32)
    users = pairs[c.USER].to_numpy(np.int32)
    return Asked(users, pairs[c.CAMPAIGN_ID].tolist(), Relevance(users.astype(np.int64), rows, items, n_items))


def _judged(
    engine: Engine, shop: Prepared, history: HistoricalStates, asked: Asked, new_only: bool
) -> dict[str, Doubles]:
    """By name, (n,) NDCG@10."""
    ids = shop.users[c.USER_ID].astype(str).to_numpy()[asked.users]
    states = history.states(list(ids), shop.split.test.as_of)
    offers = engine.campaigns.promotions
    of_campaign = {name: part.to_numpy() for name, part in offers.groupby(c.CAMPAIGN_ID)[c.ITEM]}
    task = engine.task(CAMPAIGN, new_only)

    def one(start: int) -> dict[str, Doubles]:
        rows = np.arange(start, min(start + BATCH, len(ids)))
        allowed = np.zeros((len(rows), len(engine.catalogue)), dtype=bool)
        for place, row in enumerate(rows):
            allowed[place, of_campaign[asked.campaigns[row]]] = True
        lists, wanted = _lists(engine, states.take(rows), allowed, task), asked.wanted.take(rows)
        return {n: relevance_metrics(wanted.holds(each), wanted.counts, (K,))[NDCG] for n, each in lists.items()}

    with ThreadPoolExecutor(WORKERS) as threads:
        parts = list(threads.map(one, range(0, len(ids), BATCH)))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _lists(
    engine: Engine, states: UserStates, allowed: np.ndarray[Any, np.dtype[np.bool_]], task: str
) -> dict[str, Ints]:
    """(n, 10) by the blend, by popularity and by how often the user took the item, of the items *allowed*."""
    queries = engine.queries(RECOMMEND, states)
    scores = engine.full_scores(queries, task, allowed)
    pool = engine.pool_of(queries, scores, task)
    lists = {FUSED: engine.rank(pool, task, K, scenario=CAMPAIGN).items}
    if POPULARITY in pool.channels:
        lists[POPULARITY] = pool.channels[POPULARITY][:, :K]
        lists[FREQUENCY] = top_k(_frequency(states, scores[POPULARITY]), K)
    return lists


def _frequency(states: UserStates, popular: Floats) -> Floats:
    """(n, n_items) how often each user took each item, among equals and the never taken the more popular first."""
    shown = np.isfinite(popular)
    top = np.where(shown, popular, 0).max(axis=1, keepdims=True, initial=1e-9)
    often = states.matrix(states.counts, popular.shape[1]).toarray()
    return np.where(shown, often + 0.01 * popular / top, popular).astype(np.float32)


def _summary(values: dict[str, Doubles], seed: int) -> dict[str, Any]:
    found: dict[str, Any] = {"pairs": int((~np.isnan(values[FUSED])).sum())}
    found |= {name: {NDCG: mean(one)} for name, one in values.items()}
    for key, over in (("gain", POPULARITY), ("over_frequency", FREQUENCY)):
        gain = paired(values[FUSED], values[over], seed) if over in values else None
        relative = None if gain is None else gain.relative
        found[key] = {
            "over": over,
            NDCG: None if relative is None else relative.value,
            "ci95": None if relative is None else [relative.low, relative.high],
        }
    return found


def judge_users(engine: Engine, shop: Prepared, prepared: Path, states: Path) -> dict[str, Any] | None:
    """Of the users that a campaign of the test window names, are those in front who took something of it?

    Returns:
        {"campaigns", "users", "auc": mean over campaigns of the chance that who took something stands before who did
        not, "auc_of_history": the same by the number of items a user had ever taken}; None where nothing was learned
        or no campaign of the window names users of both sorts.
    """
    cut = shop.split.test
    if engine.audience is None or cut.as_of is None or cut.until is None or not states.exists():
        return None
    campaigns = engine.campaigns.meant_for(prepared / TARGETS_FILE)
    history = HistoricalStates.load(states, engine.catalogue)
    taken, _ = _bought(shop, campaigns, prepared, cut.as_of, cut.until)["purchases"]
    ids = shop.users[c.USER_ID].astype(str).to_numpy()
    took = {str(name): set(ids[part].tolist()) for name, part in taken.groupby(c.CAMPAIGN_ID)[c.USER]}
    rows = []
    for name, answered in sorted(took.items()):
        users = sorted(campaigns.targets.get(name, frozenset()) & set(history.user_ids))
        hits = np.flatnonzero([user in answered for user in users]).astype(np.int32)
        if 0 < len(hits) < len(users):
            items = np.zeros(len(engine.catalogue), dtype=bool)
            offers = campaigns.promotions
            items[offers.loc[offers[c.CAMPAIGN_ID] == name, c.ITEM].to_numpy()] = True
            known = history.states(users, cut.as_of)
            scores = np.stack([engine.audience.chances(known, items), known.sizes]).astype(np.float32)
            both = auc(scores, np.repeat([0, 1], len(hits)), np.tile(hits, 2))
            rows.append((len(users), both[0], both[1]))
    if not rows:
        return None
    users_of, ours, plain = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    return {
        "campaigns": len(rows),
        "users": int(users_of.sum()),
        "auc": float(ours.mean()),
        "auc_of_history": float(plain.mean()),
    }
