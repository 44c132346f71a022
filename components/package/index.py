"""Indexes for members of large catalogues: made once, and asked for as many items as finds what belongs there."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from components.common import columns as c
from components.common.moments import microseconds
from components.common.prepared import Prepared
from serving.arrays import PAD, Floats, Ints, top_k
from serving.catalogue import Catalogue
from serving.hidden import Hidden
from serving.index import LEVELS, VectorIndex, filled
from serving.members.base import load_members
from serving.members.dense import Dense, Near, Space
from serving.opinion import LARGE
from serving.queries import RECOMMEND, SIMILAR, Queries
from serving.states import UserStates

log = logging.getLogger(__name__)
GOAL = 0.995  # of the items that belong to the BEST best, the share that an index has to find
BEST, ASKED, PIECE = 100, 200, 16
LEARNED, ADDED = 20_000, 100_000  # vectors that levels are learned from; that are coded at a time
BEYOND = (50, 100, 150, 200, 300, 400, 600, 800, 1200, 1600, 2400, 3200)  # items to look up beyond BEST, to choose from


def write_indexes(folder: Path, catalogue: Catalogue, shop: Prepared) -> None:
    """Write an index into every member's folder below *folder* that can use one; nothing for small catalogues."""
    if len(catalogue) < LARGE:
        return
    states = _users(shop)
    for name, member in load_members(folder, catalogue).items():
        if isinstance(member, Dense):
            asked = questions(member, states, shop.split.seed)
            index = index_of(member, asked, shop.split.seed)
            if index is None:
                log.warning("%s: no index finds %.1f%% of what it should; it goes without", name, 100 * GOAL)
            else:
                index.save(folder / name)


def questions(member: Dense, states: UserStates, seed: int) -> list[Queries]:
    """Up to ASKED users out of *states* and ASKED items that stand alone, in the scenarios that the member answers."""
    rng = np.random.default_rng(seed)
    found = []
    if RECOMMEND in member.scenarios and len(states):
        rows = np.sort(rng.permutation(len(states))[:ASKED])
        found.append(Queries(RECOMMEND, states.take(rows)))
    if SIMILAR in member.scenarios:
        known = np.flatnonzero(member.space.known)
        items = rng.permutation(known)[:ASKED]
        found.append(Queries(SIMILAR, UserStates.from_items([[int(item)] for item in items], 0)))
    return found


def index_of(member: Dense, asked: Sequence[Queries], seed: int) -> VectorIndex | None:
    """An index over the items of *member* that finds GOAL of the BEST best of the questions *asked*; None: none does.

    It looks up as few of BEYOND as bring the share found above GOAL by two standard errors.
    """
    made = _made(member.space, seed)
    pairs = [(member.space, *vectors) for queries in asked if (vectors := member.asked(queries)) is not None]
    truth = [_exact(*pair) for pair in pairs]
    for beyond in BEYOND:
        index = replace(made, beyond=beyond)
        found = [_found(index, pair, best) for pair, best in zip(pairs, truth, strict=True)]
        shares = [share for share in found if len(share)]
        if all(share.mean() - 2 * share.std() / len(share) ** 0.5 >= GOAL for share in shares):
            measured = min((float(share.mean()) for share in shares), default=1.0)
            return replace(index, measured=round(measured, 4))
    return None


def _made(space: Space, seed: int) -> VectorIndex:
    import faiss

    faiss.omp_set_num_threads(1)
    items = np.flatnonzero(space.known).astype(np.int32)
    index: Any = faiss.IndexPQFastScan(space.width, space.width, 4, faiss.METRIC_INNER_PRODUCT)
    index.pq.cp.seed = seed + 1
    index.train(space.rows(np.sort(np.random.default_rng(seed).permutation(items)[:LEARNED])))
    for start in range(0, len(items), ADDED):
        index.add(space.rows(items[start : start + ADDED]))
    levels = faiss.vector_to_array(index.pq.centroids).reshape(space.width, LEVELS)
    codes = faiss.AlignedTable_to_array(index.codes)[: filled(len(items)) * space.width // 2]
    return VectorIndex(levels, codes, items, beyond=0, measured=0.0)


def _exact(space: Space, vectors: Floats, biased: bool) -> Ints:
    """(n, BEST) the best by all products."""
    found = [top_k(_scores(space, piece, biased), BEST) for piece in _pieces(vectors)]
    return np.concatenate(found) if found else np.empty((0, BEST), dtype=np.int32)


def _scores(space: Space, vectors: Floats, biased: bool) -> Floats:
    scores: Floats = vectors @ space.vectors.T
    if space.place is not None:
        scores = scores[:, space.place]
    if biased and space.bias is not None:
        scores = scores + space.bias
    scores[:, ~space.known] = np.nan
    return scores


def _pieces(vectors: Floats) -> Iterator[Floats]:
    for start in range(0, len(vectors), PIECE):
        yield vectors[start : start + PIECE]


def _found(index: VectorIndex, pair: tuple[Space, Floats, bool], truth: Ints) -> Floats:
    """(n,) the share of the *truth* that the index finds, of the questions of which something is scored."""
    space, vectors, biased = pair
    nothing = np.full((len(vectors), len(space.known)), np.nan, dtype=np.float32)  # too few found: none
    best = Near(space, index, vectors, biased, Hidden.nothing(len(space.known)), nothing.copy).best(BEST)
    rows = np.flatnonzero((truth != PAD).any(axis=1))
    shares = [np.isin(truth[row][truth[row] != PAD], best[row]).mean() for row in rows]
    return np.array(shares, dtype=np.float32)


def _users(shop: Prepared) -> UserStates:
    """Histories of at most ASKED users as they stood when the release was trained."""
    events = shop.train(shop.split.test)
    events = events[events[c.ITEM] >= 0]
    rng = np.random.default_rng(shop.split.seed)
    users = np.sort(rng.permutation(np.unique(events[c.USER].to_numpy()))[:ASKED])
    own = events[events[c.USER].isin(users)]
    at = microseconds(own[c.TIMESTAMP])
    visits = own[[c.USER, c.ITEM]].assign(at=at, weight=1.0)
    return UserStates.from_visits(visits, users, int(at.max()) + 1 if len(own) else 0)
