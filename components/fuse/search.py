"""Search: weights from judgements, and honest weights for judging them.

A judged query must not be scored by weights that saw its grades. So next to the blend learned from every query there is
one per query, learned (method and weights both) from the folds that do not hold it.
"""

from typing import Any

import numpy as np
import pandas as pd

from components.common import columns as c
from components.fuse.choice import mean
from components.fuse.fit import fit_task
from components.fuse.judging import K, fold_of, judge
from components.fuse.lists import FitSet
from components.fuse.options import Options
from components.fuse.pools import join
from components.fuse.priors import prior_of
from serving.arrays import PAD, Bools
from serving.blend import Blend, TaskFusion
from serving.engine import Engine
from serving.queries import SEARCH, Queries
from serving.states import UserStates

FEWEST_QUERIES = 20  # with fewer there is nothing to learn: the prior stays
FOLDS = 5
BATCH = 64


def fit_search(
    engine: Engine, judgements: pd.DataFrame, seed: int
) -> tuple[TaskFusion, dict[str, Blend], dict[str, Any]]:
    """Learn the search blend.

    Args:
        engine: the members that will serve, with the text encoder.
        judgements: query, item_id, grade; items the catalogue does not hold are left out.
        seed: divides the queries into folds.

    Returns:
        The fusion, by query the blend that has not seen it, and a report.
    """
    queries, fit = judged_set(engine, judgements)
    fit = fit.of(speaking(fit) or fit.members)
    prior = prior_of(SEARCH, fit.members)
    options = Options(folds=FOLDS, seed=seed, prior=prior)
    if len(queries) < FEWEST_QUERIES or not (fit.labels > 0).any():
        report = {"chosen": prior.kind, "queries": len(queries), "why": f"fewer than {FEWEST_QUERIES} judged queries"}
        return TaskFusion(chosen=prior.kind, methods={prior.kind: prior}), dict.fromkeys(queries, prior), report
    fusion, report = fit_task([fit], {}, options)
    (fold,) = fold_of([fit.groups], FOLDS, seed)
    unseen = [_blend_without(fit, fold == held_out, options) for held_out in range(FOLDS)]
    honest = judge([fit], [fold], [{"out_of_fold": blend} for blend in unseen])["out_of_fold"]
    by_query = {query: unseen[number] for query, number in zip(queries, fold.tolist(), strict=True)}
    return fusion, by_query, report | {"queries": len(queries), "out_of_fold_ndcg@10": mean(honest), "cut_off": K}


def judged_set(engine: Engine, judgements: pd.DataFrame) -> tuple[list[str], FitSet]:
    """The judged items of every query with all members' scores; groups are query numbers."""
    rows = engine.catalogue.index([str(item) for item in judgements[c.ITEM_ID]])
    known = judgements.assign(**{c.ITEM: rows})[rows != PAD].sort_values([c.QUERY, c.ITEM])
    grouped = [(str(query), part) for query, part in known.groupby(c.QUERY, sort=True)]
    pools, labels = [], []
    for start in range(0, len(grouped), BATCH):
        piece = grouped[start : start + BATCH]
        width = max(len(part) for _, part in piece)
        candidates = np.full((len(piece), width), PAD, dtype=np.int32)
        grades = np.zeros((len(piece), width), dtype=np.float32)
        for row, (_, part) in enumerate(piece):
            candidates[row, : len(part)], grades[row, : len(part)] = part[c.ITEM], part[c.GRADE]
        pools.append(engine.score_items(_ask(engine, [query for query, _ in piece]), candidates))
        labels.append(grades)
    relevant = np.array([int((part[c.GRADE] > 0).sum()) for _, part in grouped], dtype=np.int64)
    fit = join(pools, labels, relevant, np.arange(len(grouped), dtype=np.int64), None)
    return [query for query, _ in grouped], fit


def speaking(fit: FitSet) -> tuple[str, ...]:
    """The members that score anything at all: to learn a weight for the others would be to guess it."""
    return tuple(name for at, name in enumerate(fit.members) if np.isfinite(fit.scores[:, :, at]).any())


def _ask(engine: Engine, texts: list[str]) -> Queries:
    nobody = UserStates.from_items([[] for _ in texts], engine.as_of)
    return engine.queries(SEARCH, nobody, tuple(texts))


def _blend_without(fit: FitSet, held_out: Bools, options: Options) -> Blend:
    fusion, _ = fit_task([fit.take(np.flatnonzero(~held_out))], {}, options)
    return fusion.methods[fusion.chosen]
