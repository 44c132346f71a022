"""What users searched for and took after it, as lists to learn the weights of search from where nobody has judged.

Items that the search did not lead to by its words are rare among what is recalled for it, so that a stray look teaches
little.
"""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from components.common import columns as c
from components.common.moments import microseconds
from components.common.prepared import Cut, Prepared
from components.common.searches import answered
from components.fuse.config import FusionConfig
from components.fuse.fit import fit_task
from components.fuse.lists import FitSet
from components.fuse.options import Options
from components.fuse.pools import Asked, join
from components.fuse.priors import prior_of
from serving.arrays import Bools, Longs, gather
from serving.blend import TaskFusion
from serving.engine import Engine
from serving.features import HistoricalStates
from serving.queries import SEARCH

Names = npt.NDArray[np.object_]
MOST, FEWEST = 2_000, 100  # searches to learn from, over all windows
BATCH = 128
LINEAR = (
    *("softmax", "softmax_firm", "softmax_free", "softmax_loose", "softmax_head"),
    *("least_squares_non_negative", "least_squares", "greedy"),
)


def search_set(
    engine: Engine, shop: Prepared, searches: pd.DataFrame, cut: Cut, states: Path, most: int, seed: int
) -> FitSet | None:
    """The searches of *cut*'s window that led to something, with what the engine recalls for them; None: none did.

    Args:
        engine: members as they were at the cut, with an encoder.
        shop: the prepared shop.
        searches: user, query, timestamp.
        cut: a temporal cut.
        states: states/<cut>.parquet, what was known of the users.
        most: searches at most, a seeded choice.
        seed: of that choice.
    """
    if cut.as_of is None or cut.until is None:
        return None
    known = HistoricalStates.load(states, engine.catalogue)
    names = shop.users[c.USER_ID].astype(str).to_numpy()
    told = np.isin(names, known.user_ids)[searches[c.USER].to_numpy()]  # of others the past is not known
    inside = searches[_within(searches, cut) & told].reset_index(drop=True)
    found = answered(inside, shop.events[_within(shop.events, cut)])
    numbers = found["search"].unique()
    if len(numbers) > most:
        numbers = np.sort(np.random.default_rng(seed).choice(numbers, most, replace=False))
    if not len(numbers):
        return None
    return _lists(engine, names, inside, found, numbers, known)


def _within(rows: pd.DataFrame, cut: Cut) -> Bools:
    at = microseconds(rows[c.TIMESTAMP])
    return np.asarray((at >= (cut.as_of or 0)) & (at < (cut.until or 0)))


def _lists(
    engine: Engine, names: Names, searches: pd.DataFrame, found: pd.DataFrame, numbers: Longs, known: HistoricalStates
) -> FitSet:
    """A list for each of the searches *numbers*, labelled with the grades *found*."""
    codes = searches[c.USER].to_numpy(dtype=np.int64)[numbers]
    states = known.states(names[codes].tolist())
    texts = searches[c.QUERY].astype(str).to_numpy()[numbers]
    shape = (len(searches), len(engine.catalogue))
    grades = sparse.csr_matrix((found[c.GRADE], (found["search"], found[c.ITEM])), shape=shape)[numbers]
    pools, labels = [], []
    for start in range(0, len(numbers), BATCH):
        rows = np.arange(start, min(start + BATCH, len(numbers)))
        pool = engine.pool(engine.queries(SEARCH, states.take(rows), tuple(texts[rows])), SEARCH)
        pools.append(pool)
        labels.append(np.nan_to_num(gather(grades[rows].toarray().astype(np.float32), pool.candidates)))
    relevant = np.diff(grades.indptr).astype(np.int64)
    return join(pools, labels, relevant, codes, Asked(engine.context, states))


def fit_searches(
    engines: Mapping[str, Engine],
    serving: Engine,
    shop: Prepared,
    searches: pd.DataFrame,
    states: Path,
    config: FusionConfig,
    seed: int,
) -> tuple[TaskFusion, dict[str, Any]] | None:
    """The blend of search as what users took after searching teaches it; None where too few searches led to anything.

    Args:
        engines: by fit cut, an engine over its members.
        serving: the engine that will serve; its encoder reads the queries.
        shop: the prepared shop.
        searches: user, query, timestamp.
        states: folder of <cut>.parquet.
        config: folds and rows of the fit.
        seed: every random choice follows from it.
    """
    cuts = [cut for cut in shop.split.fits if cut.name in engines and (states / f"{cut.name}.parquet").exists()]
    sets = []
    for cut in cuts:
        engine = copy.copy(engines[cut.name])
        engine.encoder = serving.encoder
        made = search_set(engine, shop, searches, cut, states / f"{cut.name}.parquet", MOST // len(cuts), seed)
        sets += [made] if made is not None else []
    sets = _alike(sets)
    if sum(len(one) for one in sets) < FEWEST:
        return None
    prior = prior_of(SEARCH, sets[0].members)
    only = tuple(name for name in LINEAR if not config.methods or name in config.methods)
    options = Options(folds=config.folds, max_rows=config.rows, seed=seed, prior=prior, only=only or LINEAR)
    fusion, report = fit_task(sets, {name: member.family for name, member in serving.members.items()}, options)
    return fusion, report | {"learned_from": "what users took after searching"}


def _alike(sets: Sequence[FitSet]) -> list[FitSet]:
    """Those that know every member of the newest one, as these members see them."""
    newest = sets[-1].members if sets else ()
    return [one.of(newest) for one in sets if set(newest) <= set(one.members)]
