"""LightGBM's LambdaMART alone, over simple features, taught by the answers inside the training data."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from benchmarks.quality.peers.base import Fitted, Params, Peer, Space
from benchmarks.quality.peers.problem import Labelled, Problem
from serving.arrays import PAD, Floats, Ints, Longs, top_k

CANDIDATES, NEIGHBOURS = 200, 100
THREADS = 1
SCALES: dict[str, tuple[float | None, ...]] = {"days": (14.0, 60.0, None), "visits": (1.0, 3.0, None)}


@dataclass(frozen=True)
class Features:
    """(n, C) candidates of a problem's asked users, -1 after the last, and (n · C, f) features of them.

    rising: by feature, 1 where more of it must not lower the score, else 0.
    """

    candidates: Ints
    table: Floats
    rising: list[int]


def lambdamart(problem: Problem, params: Params, lessons: Labelled) -> Fitted:
    """Fit the trees on *lessons*, then score the candidates of *problem*."""
    import lightgbm

    taught = features(lessons.problem)
    real = taught.candidates != PAD
    labels = np.take_along_axis(lessons.relevant.toarray(), np.maximum(taught.candidates, 0), axis=1) > 0
    useful = (labels & real).any(axis=1)
    rows = (real & useful[:, None]).ravel()
    trees = lightgbm.train(
        {
            "objective": "lambdarank",
            "lambdarank_truncation_level": 30,
            "num_leaves": params["leaves"],
            "learning_rate": params["learning_rate"],
            "min_data_in_leaf": params["least"],
            "monotone_constraints": taught.rising,
            "seed": problem.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": THREADS,
            "verbose": -1,
        },
        lightgbm.Dataset(taught.table[rows], labels.ravel()[rows].astype(np.int32), group=real[useful].sum(axis=1)),
        num_boost_round=params["epochs"],
    )
    asked = features(problem)
    predicted = np.asarray(trees.predict(asked.table, num_threads=THREADS)).reshape(asked.candidates.shape)

    def score(rows: Longs) -> Floats:
        scores = np.full((len(rows), problem.n_items), np.nan, np.float32)
        place, column = np.nonzero(asked.candidates[rows] != PAD)
        scores[place, asked.candidates[rows][place, column]] = predicted[rows][place, column]
        return scores

    return Fitted(score, 2 * params["epochs"] * params["leaves"])


def features(problem: Problem) -> Features:
    """Popularity, item neighbours, own frequency and category affinity, each at several ages."""
    similar = _similarity(problem)
    scales = SCALES[problem.clock]
    asking = [problem.asking(scale, "log") for scale in scales]
    sells = [_share(np.asarray(problem.learned(scale, "log").sum(axis=0)).ravel()) for scale in scales]
    groups = _groups(problem)
    chosen, tables = [], []
    for start in range(0, len(problem), 200):
        rows = np.arange(start, min(start + 200, len(problem)))
        near = [_share((own[rows] @ similar).toarray()) for own in asking]
        habits = [own[rows].toarray() for own in asking]
        candidates = _candidates(problem, rows, near[1], habits[1], sells[1])
        safe = np.maximum(candidates, 0)
        columns = [np.take_along_axis(values, safe, axis=1) for values in near + habits]
        columns += [values[safe] for values in sells]
        columns += [_affinity(own[rows], groups, problem.category, safe) for own in asking[1:]]
        columns.append(np.repeat(np.diff(asking[0][rows].indptr)[:, None], safe.shape[1], axis=1))
        chosen.append(candidates)
        tables.append(np.stack(columns, axis=2).reshape(-1, len(columns)).astype(np.float32))
    free = {len(near) + place for place in range(len(habits))} | {len(columns) - 1}
    rising = [int(column not in free) for column in range(len(columns))]
    return Features(np.concatenate(chosen), np.concatenate(tables), rising)


def _share(values: npt.NDArray[np.floating]) -> Floats:
    """Each value over the largest of its row: what was learned at one size of the data holds at another."""
    scaled: Floats = (values / np.maximum(values.max(axis=-1, keepdims=True), 1e-9)).astype(np.float32)
    return scaled


def _similarity(problem: Problem) -> sparse.csr_matrix:
    from implicit.nearest_neighbours import CosineRecommender

    model = CosineRecommender(K=NEIGHBOURS, num_threads=THREADS)
    model.fit(problem.learned(None, "log"), show_progress=False)
    return model.similarity.astype(np.float32)


def _groups(problem: Problem) -> sparse.csr_matrix:
    """(n_items, groups) 1 where an item is of a category."""
    known = np.flatnonzero(problem.category >= 0)
    shape = (problem.n_items, int(problem.category.max(initial=-1)) + 2)
    return sparse.csr_matrix((np.ones(len(known), np.float32), (known, problem.category[known])), shape=shape)


def _affinity(own: sparse.csr_matrix, groups: sparse.csr_matrix, category: Ints, items: Ints) -> Floats:
    """(b, C) share of a user's interest that goes to each candidate's category; the last group is for none."""
    interest = (own @ groups).toarray()
    interest /= np.maximum(interest.sum(axis=1, keepdims=True), 1e-9)
    found: Floats = np.take_along_axis(interest, category[items], axis=1)
    return found


def _candidates(problem: Problem, rows: Longs, near: Floats, habits: Floats, sells: npt.NDArray[np.floating]) -> Ints:
    """(b, C) what the user has met (where it may be listed), what is near, what sells."""
    merit = near + 0.3 * sells
    if problem.seen is None:
        merit = merit + 2.0 * (habits > 0) + _share(habits)
    else:
        hidden = problem.seen[rows]
        merit[np.repeat(np.arange(len(rows)), np.diff(hidden.indptr)), hidden.indices] = -np.inf
    return top_k(merit.astype(np.float32), CANDIDATES)


def _space(_: Problem) -> Space:
    return {
        "leaves": (15, 31, 7),
        "learning_rate": (0.05, 0.1, 0.03),
        "epochs": (100, 50, 200),
        "least": (300, 1000, 50),
    }


PEERS = (Peer("lightgbm_lambdamart", "lightgbm", "lightgbm", lambdamart, _space, supervised=True),)
