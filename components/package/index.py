"""Indexes for members of large catalogues: made once, with as many lists looked into as finds what it should."""

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
from serving.index import VectorIndex
from serving.members.base import load_members
from serving.members.dense import Dense, Near, Space
from serving.opinion import LARGE
from serving.queries import RECOMMEND, SIMILAR, Queries
from serving.states import UserStates

GOAL = 0.99  # of the items that belong to the BEST best, the share that an index has to find
BEST, ASKED, PIECE = 100, 200, 16
ROUNDS, EACH = 6, 40  # of k-means, and the vectors for each of its centres
ADDED = 100_000  # vectors at a time
PROBES = tuple(round(2 ** (power / 2)) for power in range(4, 32))


def write_indexes(folder: Path, catalogue: Catalogue, shop: Prepared) -> None:
    """Write an index into every member's folder below *folder* that can use one; nothing for small catalogues."""
    if len(catalogue) < LARGE:
        return
    states = _users(shop)
    for name, member in load_members(folder, catalogue).items():
        if isinstance(member, Dense):
            asked = questions(member, states, shop.split.seed)
            index_of(member, asked, shop.split.seed).save(folder / name)


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


def index_of(member: Dense, asked: Sequence[Queries], seed: int) -> VectorIndex:
    """An index over the items of *member* that finds GOAL of the BEST best of the questions *asked*.

    Lists: twice the root of the items. Looked into: the fewest of PROBES whose share found is above GOAL by two
    standard errors; all of them if none is.
    """
    made = _made(member.space, seed)
    pairs = [(member.space, *vectors) for queries in asked if (vectors := member.asked(queries)) is not None]
    truth = [_exact(*pair) for pair in pairs]
    for probes in (*(probes for probes in PROBES if probes < len(made.sizes)), len(made.sizes)):
        index = replace(made, probes=probes)
        found = [_found(index, pair, best) for pair, best in zip(pairs, truth, strict=True)]
        lowest = [float(share.mean() - 2 * share.std() / max(len(share), 1) ** 0.5) for share in found if len(share)]
        if min(lowest, default=1.0) >= GOAL:
            break
    measured = min((float(share.mean()) for share in found if len(share)), default=1.0)
    return replace(made, probes=probes, measured=round(measured, 4))


def _made(space: Space, seed: int) -> VectorIndex:
    import faiss

    faiss.omp_set_num_threads(1)
    items = np.flatnonzero(space.known).astype(np.int32)
    lists = max(1, min(round(2 * len(items) ** 0.5), len(items) // EACH))
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(space.width),
        space.width,
        lists,
        faiss.ScalarQuantizer.QT_8bit,
        faiss.METRIC_INNER_PRODUCT,
        False,
    )
    index.cp.seed, index.cp.niter = seed + 1, ROUNDS
    sample = np.random.default_rng(seed).permutation(items)[: lists * EACH]
    index.train(space.rows(np.sort(sample)))
    for start in range(0, len(items), ADDED):
        piece = items[start : start + ADDED]
        index.add_with_ids(space.rows(piece), piece.astype(np.int64))
    return _arrays(faiss, index)


def _arrays(faiss: Any, index: Any) -> VectorIndex:
    """What a trained and filled *index* holds."""
    sizes = [index.invlists.list_size(place) for place in range(index.nlist)]
    items = [faiss.rev_swig_ptr(index.invlists.get_ids(place), size) for place, size in enumerate(sizes) if size]
    codes = [
        faiss.rev_swig_ptr(index.invlists.get_codes(place), size * index.d).reshape(size, index.d)
        for place, size in enumerate(sizes)
        if size
    ]
    return VectorIndex(
        index.quantizer.reconstruct_n(0, index.nlist),
        faiss.vector_to_array(index.sq.trained).astype(np.float32),
        np.array(sizes, dtype=np.int32),
        np.concatenate(items).astype(np.int32),
        np.concatenate(codes),
        probes=1,
        measured=0.0,
    )


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
    best = Near(space, index, vectors, biased, Hidden.nothing(len(space.known)), lambda: _scores(*pair)).best(BEST)
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
