"""User neighbourhood: what those met whose histories are most alike to the history of the moment."""

from pathlib import Path
from typing import ClassVar

import numpy as np
from scipy import sparse

from components.common.errors import ReleaseError
from components.common.files import read_json
from serving.arrays import Bools, Floats
from serving.catalogue import Catalogue
from serving.members.base import MEMBER_FILE, Family, Member
from serving.members.folded import read_arrays
from serving.members.history import HistoryWeights
from serving.queries import BUNDLE, RECOMMEND, SIMILAR, Queries

ARRAYS = ("scale", "known", "indptr", "indices", "data")


class UserKnn(Member):
    """score(user, j) = sum over the k most similar kept histories u of similarity(user, u) * x_u[j].

    similarity = cosine-like: x diag(scale^2) x_u / |x_u scale|. The kept histories carry no user id. An item nobody
    met in training and a user to whom no kept history is alike are not scored.
    """

    kind: ClassVar[str] = "user_knn"
    family: ClassVar[Family] = "cf"
    scenarios: ClassVar[frozenset[str]] = frozenset({RECOMMEND, SIMILAR, BUNDLE})

    def __init__(
        self, interest: sparse.csr_matrix, scale: Floats, known: Bools, history: HistoryWeights, neighbours: int
    ) -> None:
        """Take the kept (users, n_items) histories, the (n_items,) scale of the similarity, and what training met."""
        self.interest, self.scale, self.known = interest, scale, known
        self.history, self.neighbours = history, neighbours
        scaled = interest @ sparse.diags(scale)
        norms = np.sqrt(np.asarray(scaled.multiply(scaled).sum(axis=1), dtype=np.float64).ravel())
        by_user = sparse.diags(1 / np.maximum(norms, 1e-9)) @ interest @ sparse.diags(scale.astype(np.float64) ** 2)
        self.alike = by_user.T.tocsr().astype(np.float32)

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> "UserKnn":
        """Read the arrays written by the trainer.

        Raises:
            ReleaseError: they do not fit the catalogue.
        """
        scale, known, indptr, indices, data = read_arrays(folder, ARRAYS, len(catalogue))
        if len(indices) != indptr[-1] or indices.max(initial=0) >= len(catalogue):
            raise ReleaseError(f"{folder}: histories that end elsewhere than they should; package it again.")
        interest = sparse.csr_matrix((data, indices, indptr), shape=(len(indptr) - 1, len(catalogue)))
        numbers = read_json(folder / MEMBER_FILE)
        return cls(interest, scale, known, HistoryWeights.of(numbers), int(numbers["neighbours"]))

    def score_all(self, queries: Queries) -> Floats:
        """(n, n_items) scores; see the class."""
        states = queries.states
        weights = states.matrix(self.history.weights(states), len(self.known))
        nearest = best_entries((weights @ self.alike).tocsr(), self.neighbours)
        product = nearest @ self.interest
        scores: Floats = product.toarray()
        scores[:, ~self.known] = np.nan
        scores[np.diff(product.indptr) == 0] = np.nan
        return scores


def best_entries(matrix: sparse.csr_matrix, k: int) -> sparse.csr_matrix:
    """The k highest entries of each row; ties go to the lower column."""
    matrix.sort_indices()
    kept = []
    for start, end in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        row = matrix.data[start:end]
        best = np.argsort(-row, kind="stable")[:k] if len(row) > k else np.arange(len(row))
        kept.append(start + np.sort(best))
    entries = np.concatenate([*kept, np.empty(0, np.int64)]).astype(np.int64)
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in kept])]).astype(np.int64)
    return sparse.csr_matrix((matrix.data[entries], matrix.indices[entries], indptr), shape=matrix.shape)
