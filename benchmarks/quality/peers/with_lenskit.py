"""Peers of LensKit: item and user neighbourhoods and implicit matrix factorisation, asked user by user."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from benchmarks.quality.peers.base import Fitted, Params, Peer, Space, inputs
from benchmarks.quality.peers.problem import Labelled, Problem, Visits
from serving.arrays import Floats, Longs

EPOCHS = 15


def lenskit(problem: Problem, params: Params, _: Labelled, kind: str) -> Fitted:
    """Fit one of LensKit's scorers on the training data; ask it with what is known of each user.

    The neighbourhoods take no weights: `recent` bounds how many of the user's last items they are asked with.
    """
    from lenskit.data import ItemList, RecQuery, from_interactions_df

    weighted = kind == "als"
    learned = problem.learned(params["learning_half_life"] if weighted else None, params.get("counts", "once")).tocoo()
    table = pd.DataFrame({"user_id": learned.row, "item_id": learned.col, "rating": learned.data})
    dataset = from_interactions_df(table)
    scorer = _scorer(kind, params)
    scorer.train(dataset, _options(problem.seed))
    asking = problem.asking(params["half_life"], params["counts"]) if weighted else recent(problem, params["recent"])
    known = np.unique(learned.col)
    everything = ItemList(item_ids=known)

    def score(rows: Longs) -> Floats:
        scores = np.full((len(rows), problem.n_items), np.nan, np.float32)
        for place, row in enumerate(rows):
            own = asking[row]
            history = ItemList(item_ids=own.indices.astype(np.int64), rating=own.data)
            scores[place, known] = scorer(RecQuery(user_items=history), items=everything).scores()
        return scores

    return Fitted(score, _parameters(scorer))


def recent(problem: Problem, most: int | None) -> sparse.csr_matrix:
    """(n, n_items) ones at each asked user's *most* recent items."""
    visits = problem.history
    age = Visits(visits.users, visits.items, np.ones_like(visits.weight), visits.at, visits.visit)
    last = problem.interest(age, 1.0 if problem.clock == "visits" else 365.0, "once")[problem.asked]
    for row in range(last.shape[0] if most is not None else 0):
        own = last.data[last.indptr[row] : last.indptr[row + 1]]
        own[np.argsort(-own, kind="stable")[most:]] = 0.0
    last.eliminate_zeros()
    last.data[:] = 1.0
    return last


def _scorer(kind: str, params: Params) -> Any:
    from lenskit.als import ImplicitMFScorer
    from lenskit.knn import ItemKNNScorer, UserKNNScorer

    if kind == "item_knn":
        return ItemKNNScorer(max_nbrs=params["k"], save_nbrs=params["saved"], feedback="implicit")
    if kind == "user_knn":
        return UserKNNScorer(max_nbrs=params["k"], feedback="implicit")
    return ImplicitMFScorer(
        embedding_size=params["embedding_size"],
        regularization=params["reg"],
        weight=params["weight"],
        use_ratings=True,
        epochs=EPOCHS,
    )


def _options(seed: int) -> Any:
    from lenskit.training import TrainingOptions

    return TrainingOptions(rng=seed)


def _parameters(scorer: Any) -> int:
    """Numbers held by a scorer's arrays, as far as they can be seen."""
    total = 0
    for value in vars(scorer).values():
        total += int(value.size) if isinstance(value, np.ndarray) else 0
        total += int(value.numel()) if hasattr(value, "numel") else 0
        total += 2 * int(value.nnz) if hasattr(value, "nnz") else 0
    return total


def _knn_space(problem: Problem) -> Space:
    recents = (None, 50, 20, 200) if problem.clock == "days" else (None, 5, 2, 10)
    return {"k": (20, 50, 100), "saved": (100, 500, 20), "recent": recents}


def _user_space(problem: Problem) -> Space:
    return {"k": (20, 50, 100, 300), "recent": _knn_space(problem)["recent"]}


def _als_space(problem: Problem) -> Space:
    own = {"embedding_size": (64, 32, 128), "reg": (0.1, 1.0, 0.01, 10.0), "weight": (40.0, 10.0, 1.0)}
    return own | dict(inputs(problem))


PEERS = (
    Peer("lenskit_item_knn", "lenskit", "lenskit", partial(lenskit, kind="item_knn"), _knn_space),
    Peer("lenskit_user_knn", "lenskit", "lenskit", partial(lenskit, kind="user_knn"), _user_space),
    Peer("lenskit_als", "lenskit", "lenskit", partial(lenskit, kind="als"), _als_space),
)
