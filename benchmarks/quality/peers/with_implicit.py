"""Peers of the package `implicit`: factorisations and item neighbourhoods."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.quality.peers.base import Fitted, Params, Peer, Space, inputs
from benchmarks.quality.peers.problem import Labelled, Problem
from benchmarks.quality.peers.reference import unscored
from serving.arrays import Floats, Longs

EPOCHS, THREADS = 15, 1


def als(problem: Problem, params: Params, _: Labelled) -> Fitted:
    """Alternating least squares; the asked users are folded in with what is known of them at the cut."""
    from implicit.cpu.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(
        factors=params["embedding_size"],
        regularization=params["reg"],
        alpha=params["alpha"],
        iterations=EPOCHS,
        num_threads=THREADS,
        random_state=problem.seed,
    )
    model.fit(problem.learned(params["learning_half_life"], params["counts"]), show_progress=False)
    asking = problem.asking(params["half_life"], params["counts"])

    def score(rows: Longs) -> Floats:
        factors = model.recalculate_user(np.arange(len(rows)), asking[rows])
        result: Floats = factors @ model.item_factors.T
        return result

    return Fitted(score, model.item_factors.size + model.user_factors.size)


def bpr(problem: Problem, params: Params, _: Labelled) -> Fitted:
    """Bayesian personalised ranking; it knows users by their code and folds nobody in."""
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    model = BayesianPersonalizedRanking(
        factors=params["embedding_size"],
        learning_rate=params["learning_rate"],
        regularization=params["reg"],
        iterations=params["epochs"],
        num_threads=THREADS,
        random_state=problem.seed,
    )
    model.fit(problem.learned(None, "once"), show_progress=False)

    def score(rows: Longs) -> Floats:
        result: Floats = model.user_factors[problem.asked[rows]] @ model.item_factors.T
        return result

    return Fitted(score, model.item_factors.size + model.user_factors.size)


def neighbours(problem: Problem, params: Params, _: Labelled, make: Callable[[Params], Any]) -> Fitted:
    """Item neighbours as the package learns them; a user's score is interest times similarity."""
    model = make(params)
    model.fit(problem.learned(params["learning_half_life"], params["counts"]), show_progress=False)
    similarity = model.similarity.astype(np.float32)
    asking = problem.asking(params["half_life"], params["counts"])
    return Fitted(lambda rows: unscored(asking[rows] @ similarity), 2 * similarity.nnz)


def _bm25(params: Params) -> Any:
    from implicit.nearest_neighbours import BM25Recommender

    return BM25Recommender(K=params["k"], K1=params["k1"], B=params["b"], num_threads=THREADS)


def _cosine(params: Params) -> Any:
    from implicit.nearest_neighbours import CosineRecommender

    return CosineRecommender(K=params["k"], num_threads=THREADS)


def _tfidf(params: Params) -> Any:
    from implicit.nearest_neighbours import TFIDFRecommender

    return TFIDFRecommender(K=params["k"], num_threads=THREADS)


def _als_space(problem: Problem) -> Space:
    own = {"embedding_size": (64, 128, 32), "reg": (1.0, 10.0, 0.01, 30.0), "alpha": (10.0, 3.0, 40.0, 1.0)}
    return own | dict(inputs(problem))


def _bpr_space(_: Problem) -> Space:
    return {
        "embedding_size": (64, 32, 128),
        "learning_rate": (0.05, 0.01, 0.1),
        "reg": (0.1, 0.03, 0.01),
        "epochs": (30, 60, 100),
    }


def _knn_space(problem: Problem) -> Space:
    return {"k": (100, 20, 300, 1000)} | dict(inputs(problem))


def _bm25_space(problem: Problem) -> Space:
    return {"k1": (1.2, 10.0, 100.0, 0.5), "b": (0.75, 0.3, 0.0, 0.5)} | dict(_knn_space(problem))


def _peer(name: str, fit: Callable[[Problem, Params, Labelled], Fitted], space: Callable[[Problem], Space]) -> Peer:
    return Peer(f"implicit_{name}", "implicit", "implicit", fit, space)


PEERS = (
    _peer("als", als, _als_space),
    _peer("bpr", bpr, _bpr_space),
    _peer("bm25", partial(neighbours, make=_bm25), _bm25_space),
    _peer("cosine", partial(neighbours, make=_cosine), _knn_space),
    _peer("tfidf", partial(neighbours, make=_tfidf), _knn_space),
)
