"""References that need no package: what sells, a user's own habits, and EASE in closed form."""

import numpy as np
from scipy import sparse

from benchmarks.quality.peers.base import CannotRunError, Fitted, Params, Peer, Space, ages, inputs
from benchmarks.quality.peers.problem import Labelled, Problem
from components.common.moments import DAY
from components.common.ranking import Doubles
from serving.arrays import Floats, Longs

LARGEST = 12_000  # rows of the matrix that EASE inverts


def popularity(problem: Problem, params: Params, _: Labelled) -> Fitted:
    """Interest of all users, halving with age."""
    total = problem.learned(params["half_life"], params["counts"]).sum(axis=0)
    values = np.asarray(total, dtype=np.float32).ravel()
    return Fitted(lambda rows: np.repeat(values[None, :], len(rows), axis=0), len(values))


def personal_frequency(problem: Problem, params: Params, _: Labelled) -> Fitted:
    """How often the user met the item, halving with age."""
    asking = problem.asking(params["half_life"], "linear")
    return Fitted(lambda rows: unscored(asking[rows]), asking.nnz)


def periodicity(problem: Problem, params: Params, _: Labelled) -> Fitted:
    """Personal frequency, less just after a purchase and again long after the item was due.

    r = time since the last purchase / the user's own mean interval (drawn to the item's mean by `prior` intervals);
    score = frequency · min(r, 1)^early · max(r, 1)^-late.
    """
    frequency = problem.asking(params["half_life"], "linear")
    due = _due(problem, params["prior"])[problem.asked]
    ratio = due.data.astype(np.float64)
    timing = np.minimum(ratio, 1.0) ** params["early"] * np.maximum(ratio, 1.0) ** -params["late"]
    weight = sparse.csr_matrix((timing, due.indices, due.indptr), shape=due.shape)
    scores = frequency.multiply(weight).tocsr()
    return Fitted(lambda rows: unscored(scores[rows]), scores.nnz + problem.n_items)


def _due(problem: Problem, prior: float) -> sparse.csr_matrix:
    """(n_users, n_items) time since the last visit over the usual interval, for pairs in the histories."""
    visits = problem.history
    shape = (problem.n_users, problem.n_items)
    pairs, place = np.unique(visits.users.astype(np.int64) * problem.n_items + visits.items, return_inverse=True)
    count = np.bincount(place)
    first, last = np.full(len(pairs), np.inf), np.full(len(pairs), -np.inf)
    np.minimum.at(first, place, visits.at / DAY)
    np.maximum.at(last, place, visits.at / DAY)
    rows, items = np.divmod(pairs, problem.n_items)
    gaps, span = count - 1, last - first
    usual = max(span.sum(), 1.0) / max(gaps.sum(), 1)
    by_item = np.bincount(items, gaps, problem.n_items) + 5.0
    of_item = (np.bincount(items, span, problem.n_items) + 5.0 * usual) / by_item
    interval = (span + prior * of_item[items]) / (gaps + prior)
    since = np.maximum(problem.as_of / DAY - last, 0.0) + 0.5
    return sparse.csr_matrix((since / np.maximum(interval, 0.5), (rows, items)), shape=shape)


def ease(problem: Problem, params: Params, _: Labelled) -> Fitted:
    """scores = x B with B = I - P / diag(P), P = (X'X + reg I)^-1; by users where they are fewer than items."""
    learned = problem.learned(params["learning_half_life"], params["counts"])
    learned = learned[np.diff(learned.indptr) > 0].tocsr()
    asking = problem.asking(params["half_life"], params["counts"])
    if min(learned.shape) > LARGEST:
        raise CannotRunError(
            f"EASE inverts a matrix of {min(learned.shape):,} rows here; more than {LARGEST:,} are not tried"
        )
    by_items = learned.shape[1] <= learned.shape[0]
    solve = _by_items if by_items else _by_users
    return solve(learned, asking, params["reg"])


def _by_items(learned: sparse.csr_matrix, asking: sparse.csr_matrix, reg: float) -> Fitted:
    gram = (learned.T @ learned).toarray().astype(np.float64)
    gram[np.diag_indices_from(gram)] += reg
    inverse = np.linalg.inv(gram)
    weights = (-inverse / np.diag(inverse)).astype(np.float32)
    np.fill_diagonal(weights, 0.0)
    return Fitted(lambda rows: np.asarray(asking[rows] @ weights), weights.size)


def _by_users(learned: sparse.csr_matrix, asking: sparse.csr_matrix, reg: float) -> Fitted:
    """The same B through (X'X + reg)^-1 = (I - X'(XX' + reg)^-1 X) / reg, never holding an items x items matrix."""
    gram = (learned @ learned.T).toarray().astype(np.float64)
    gram[np.diag_indices_from(gram)] += reg
    half: Floats = (sparse.csr_matrix.dot(learned.T, np.linalg.inv(gram).astype(np.float32))).T  # (users, items)
    through = np.asarray(learned.multiply(half).sum(axis=0), dtype=np.float64).ravel()
    diagonal: Doubles = np.maximum(1.0 - through, 1e-9)

    def score(rows: Longs) -> Floats:
        own = asking[rows]
        dense = own.toarray()
        product = dense - (own @ learned.T).toarray() @ half
        result: Floats = (dense - product / diagonal).astype(np.float32)
        return result

    return Fitted(score, half.size)


def unscored(scores: sparse.csr_matrix) -> Floats:
    """Dense, NaN where nothing is stored."""
    dense: Floats = scores.toarray().astype(np.float32)
    dense[dense == 0] = np.nan
    return dense


def _habits(problem: Problem) -> Space:
    return {"half_life": (60.0, 28.0, 120.0, 240.0, None, 90.0, 40.0) if problem.clock == "days" else ages(problem)}


def _periods(problem: Problem) -> Space:
    return dict(_habits(problem)) | {
        "late": (0.5, 0.25, 1.0, 2.0),
        "early": (0.25, 0.0, 0.5, 0.1),
        "prior": (2.0, 1.0, 5.0),
    }


def _ease(problem: Problem) -> Space:
    return {"reg": (100.0, 30.0, 300.0, 1000.0, 10.0, 3.0)} | dict(inputs(problem))


PEERS = (
    Peer("popularity", "numpy", "numpy", popularity, lambda p: {k: inputs(p)[k] for k in ("half_life", "counts")}),
    Peer("personal_frequency", "numpy", "numpy", personal_frequency, _habits, tasks=("next_basket",)),
    Peer("periodicity", "numpy", "numpy", periodicity, _periods, tasks=("next_basket",)),
    Peer("ease", "numpy", "numpy", ease, _ease),
)
