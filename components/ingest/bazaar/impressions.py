"""What the shop showed: a logging policy of known probabilities, and clicks by position and attraction."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from components.common import columns as c
from components.ingest.bazaar.campaigns import WEEKS
from components.ingest.bazaar.choices import Shelves, blocks
from components.ingest.bazaar.config import DAY, SECOND, BazaarConfig
from components.ingest.bazaar.sessions import SESSION, Sessions, event_rows, quantities
from components.ingest.bazaar.world import World
from serving.arrays import Bools, Floats, Ints

LOGGED = 0.25  # share of the visits whose first list is kept
CANDIDATES, SHOWN, SHUFFLED = 20, 10, 0.4  # the shuffled requests show their candidates in a random order
EXAMINED: Floats = (1 / np.arange(1, SHOWN + 1) ** 0.7).astype(np.float32)  # chance that a position is looked at
AD_EXAMINED = np.float32(0.5)
ATTRACTION, BY_MATCH, OFF_TOPIC = -1.8, 0.7, -3.0  # log-odds of a click on what is looked at
BOUGHT = 0.12  # of the clicks
REQUEST, PLACE_OF_AD = "request", "number"


@dataclass(frozen=True)
class Requests:
    """(n,) requests with their (n, m) candidates, best first by the policy's score; *there* marks the real ones."""

    session: Ints
    user: Ints
    search: Bools
    candidates: Ints
    there: Bools
    score: Floats
    attraction: Floats  # probability of a click if looked at


def make_impressions(
    config: BazaarConfig, world: World, shelves: Shelves, sessions: Sessions, ads: pd.DataFrame
) -> pd.DataFrame:
    """Lists as shown, a row per position, and one ad a request.

    Returns:
        request, session, user, time, scenario, item, position (from 1), propensity, outcome (None, click, purchase),
        score (the policy's), number (of the ad, -1).
    """
    rng = config.rng("impressions", sessions.block)
    chosen = np.flatnonzero(rng.random(len(sessions.user)) < LOGGED).astype(np.int32)
    lists = []
    for part in blocks(len(chosen)):
        requests = _requests(world, shelves, sessions, chosen[part], rng)
        lists += [_shown(requests, sessions, rng), _ads(world, sessions, chosen[part], ads, rng)]
    rows = pd.concat(lists, ignore_index=True)
    return rows.sort_values([REQUEST, "scenario", "position"], kind="stable", ignore_index=True)


def clicks(config: BazaarConfig, rows: pd.DataFrame, block: int) -> pd.DataFrame:
    """The events that the *rows* of `make_impressions` led to: user, item, session, event, time, value, number."""
    rng = config.rng("clicks", block)
    hit = rows[rows["outcome"].notna()]
    took = hit[hit["outcome"] == "purchase"]
    parts = [
        event_rows("click", hit, 2.0 * hit["position"].to_numpy()).assign(number=hit[PLACE_OF_AD].to_numpy()),
        event_rows("view", hit, 2.0 * hit["position"].to_numpy() + 1.0),
        event_rows("purchase", took, 600.0, quantities(len(took), rng)),
    ]
    return pd.concat(parts, ignore_index=True)


def policy_propensity(rank: Ints, position: Ints, candidates: Ints) -> Floats:
    """Probability that the item of *rank* (from 0) among so many *candidates* stands at *position* (from 0)."""
    kept = (1 - SHUFFLED) * (rank == position)
    return np.asarray(kept + SHUFFLED / candidates, dtype=np.float32)


def _requests(world: World, shelves: Shelves, sessions: Sessions, chosen: Ints, rng: np.random.Generator) -> Requests:
    users, types = sessions.user[chosen], sessions.type[chosen]
    days = (sessions.start[chosen] / DAY).astype(np.float32)
    search = sessions.searched[chosen]
    found, _ = shelves.noticed(types, days, rng, CANDIDATES)
    anything = rng.integers(len(world.items), size=(len(chosen), 2 * CANDIDATES), dtype=np.int32)
    found = np.concatenate([found, anything], axis=1)
    there = _first_of(found) & (world.items.created[found] <= days[:, None]) & world.items.available[found]
    there &= np.cumsum(there, axis=1) <= CANDIDATES
    on_topic = world.items.type[found] == types[:, None]
    taste = world.users.types[users[:, None], world.items.type[found]]
    score = np.log(world.items.popularity[found]) + 0.5 * taste + 2.0 * (on_topic & search[:, None])
    order = np.argsort(np.where(there, -score, np.inf), axis=1, kind="stable")[:, :CANDIDATES]
    found, there, score, on_topic = (
        np.take_along_axis(each, order, axis=1) for each in (found, there, score, on_topic)
    )
    match = world.affinity(users[:, None], found)
    odds = ATTRACTION + BY_MATCH * match + OFF_TOPIC * (search[:, None] & ~on_topic)
    attraction = (1 / (1 + np.exp(-odds))).astype(np.float32)
    return Requests(chosen, users, search, found, there, score.astype(np.float32), attraction)


def _shown(requests: Requests, sessions: Sessions, rng: np.random.Generator) -> pd.DataFrame:
    """The first positions of every request's list, by score or in a random order."""
    n, width = requests.candidates.shape
    shuffled: Bools = np.less(rng.random(n), SHUFFLED)
    keys = np.where(shuffled[:, None], rng.random((n, width)), np.arange(width, dtype=np.float64))
    rank: Ints = np.argsort(np.where(requests.there, keys, np.inf), axis=1, kind="stable")[:, :SHOWN].astype(np.int32)
    items, there, score, attraction = (
        np.take_along_axis(each, rank, axis=1)
        for each in (requests.candidates, requests.there, requests.score, requests.attraction)
    )
    position: Ints = np.broadcast_to(np.arange(SHOWN, dtype=np.int32), rank.shape)
    counts = np.broadcast_to(requests.there.sum(axis=1)[:, None], rank.shape)
    clicked: Bools = np.less(rng.random(rank.shape), np.multiply(EXAMINED, attraction))
    session = np.broadcast_to(requests.session[:, None], rank.shape)[there]
    frame = _rows(session, items[there], sessions, clicked[there], rng)
    return frame.assign(
        scenario=np.where(np.broadcast_to(requests.search[:, None], rank.shape)[there], "search", "recommend"),
        position=position[there] + 1,
        propensity=policy_propensity(rank, position, counts)[there],
        score=score[there],
        number=-1,
    )


def _ads(world: World, sessions: Sessions, chosen: Ints, ads: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """One of the running ads a request, each as likely as the others."""
    running = int((ads["starts"] == 0).sum())
    period = sessions.start[chosen] // (WEEKS * DAY)
    number = (period * running + rng.integers(running, size=len(chosen))).astype(np.int64)
    items = ads[c.ITEM].to_numpy()[number]
    odds = ATTRACTION + BY_MATCH * world.affinity(sessions.user[chosen], items)
    clicked = rng.random(len(chosen)) < AD_EXAMINED / (1 + np.exp(-odds))
    frame = _rows(chosen, items, sessions, clicked, rng)
    return frame.assign(scenario="ads", position=1, propensity=1 / running, score=0.0, number=number)


def _rows(session: Ints, items: Ints, sessions: Sessions, clicked: Bools, rng: np.random.Generator) -> pd.DataFrame:
    outcome = np.full(len(items), None, dtype=object)
    outcome[clicked] = np.where(rng.random(int(clicked.sum())) < BOUGHT, "purchase", "click")
    return pd.DataFrame(
        {
            REQUEST: session,
            SESSION: session,
            c.USER: sessions.user[session],
            "time": sessions.start[session] - SECOND,
            c.ITEM: items,
            "outcome": outcome,
        }
    )


def _first_of(found: Ints) -> Bools:
    """(n, m) is it the first place of its item in the row."""
    order = np.argsort(found, axis=1, kind="stable")
    ordered = np.take_along_axis(found, order, axis=1)
    first = np.ones(found.shape, dtype=bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    out = np.empty_like(first)
    np.put_along_axis(out, order, first, axis=1)
    return out
