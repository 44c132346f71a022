"""Vectors of a BERT-class encoder: what a user's items mean, against what every item means."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from components.common.errors import ReleaseError
from components.common.files import read_json
from serving import kernels
from serving.arrays import PAD, Floats, Ints, stored, top_k
from serving.catalogue import Catalogue
from serving.hidden import Hidden
from serving.members.base import MEMBER_FILE, Family
from serving.members.codes import Coded, codes_of
from serving.members.dense import Dense, Space
from serving.members.interest import interest_weights
from serving.opinion import Opinion
from serving.queries import RECOMMEND, SEARCH, SIMILAR, Queries
from serving.sparse import Weighted, mixed
from serving.states import UserStates

NEAREST, LEANING = 5, 0.5  # documents that a query leans towards, and how far


class Text(Dense):
    """Cosine of projected vectors for users and anchor items, plus a prior for users; of plain ones for queries.

    Items with equal text share one document. NaN for users without history and where no query vector is given.
    """

    kind: ClassVar[str] = "text"
    family: ClassVar[Family] = "text"
    scenarios: ClassVar[frozenset[str]] = frozenset({RECOMMEND, SIMILAR, SEARCH})

    def __init__(
        self,
        vectors: Floats,
        document_of: Ints,
        projection: Floats,
        prior: Floats,
        half_life: float,
        count_power: float,
    ) -> None:
        """Keep the arrays.

        Args:
            vectors: (n_documents, d) the encoder's, rows of length one.
            document_of: (n_items,) document of each item.
            projection: (d, p) learned from what is met together.
            prior: (n_items,) added to a user's scores: how wanted the item is by all.
            half_life: visits after which a history's entry counts half.
            count_power: how repeated visits add up.
        """
        self.vectors, self.document_of, self.prior = vectors, document_of, prior
        self.raw = vectors @ projection
        self.projected = unit(self.raw)
        self.half_life, self.count_power = half_life, count_power

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> "Text":
        """Read vectors.npy, document_of.npy, projection.npy and prior.npy."""
        numbers = read_json(folder / MEMBER_FILE)
        vectors, document_of, projection, prior = (
            stored(folder / f"{name}.npy") for name in ("vectors", "document_of", "projection", "prior")
        )
        if len(document_of) != len(catalogue):
            raise ReleaseError(f"{folder}: {len(document_of)} items, the catalogue has {len(catalogue)}. Train again.")
        return cls(vectors, document_of, projection, prior, numbers["half_life"], numbers["count_power"])

    @cached_property
    def space(self) -> Space:
        """The projected documents and the prior."""
        return Space(self.projected, np.ones(len(self.prior), dtype=bool), self.prior, self.document_of)

    def asked(self, queries: Queries) -> tuple[Floats, bool] | None:
        """The users' interests; None for `search`: queries are compared with the encoder's own vectors."""
        if queries.scenario == SEARCH:
            return None
        interests = self.interests(queries.states)
        interests[queries.states.sizes == 0] = np.nan
        return interests, queries.scenario == RECOMMEND

    @cached_property
    def _documents(self) -> kernels.Items:
        """The documents' own vectors in eight bits."""
        return codes_of(self.vectors, None)

    @cached_property
    def _items(self) -> kernels.Items:
        """The same, item by item."""
        return replace(self._documents, place=self.document_of, off=self._documents.off[:, self.document_of])

    def ready(self) -> None:
        """Also write what queries are compared with in eight bits, if that is read."""
        super().ready()
        if self.prompt:
            _ = self._items

    def opinion(self, queries: Queries, hidden: Hidden) -> Opinion | None:
        """For `search` by the encoder's own vectors in eight bits, where the processor can; else as of any vectors."""
        if queries.scenario != SEARCH:
            return super().opinion(queries, hidden)
        if queries.text_vectors is None or not self.prompt:
            return None
        nothing = np.zeros(len(self.document_of), dtype=np.float32)
        return Coded(self._items, self._leaning(queries.text_vectors), nothing, hidden)

    def score_all(self, queries: Queries) -> Floats:
        """(n, n_items) cosines in [-1, 1], plus the prior for `recommend`; NaN = not scored."""
        if queries.scenario == SEARCH:
            return self._asked(queries)
        interests = self.interests(queries.states)
        scores = np.take(interests @ self.projected.T, self.document_of, axis=1)  # row by row in memory
        if queries.scenario == RECOMMEND:
            scores += self.prior
        scores[queries.states.sizes == 0] = np.nan
        return scores

    def interests(self, states: UserStates) -> Floats:
        """(n, p) decayed mean of each user's projected items, of length one; zeros without history."""
        weights = interest_weights(states, self.half_life, self.count_power)
        return unit(mixed(Weighted(states.indptr, self.document_of[states.items], weights), self.raw))

    def _asked(self, queries: Queries) -> Floats:
        if queries.text_vectors is None:
            return np.full((len(queries), len(self.document_of)), np.nan, dtype=np.float32)
        scores: Floats = (self._leaning(queries.text_vectors) @ self.vectors.T)[:, self.document_of]
        return scores

    def _leaning(self, asked: Floats) -> Floats:
        if not self.prompt:
            return leaning(asked, self.vectors, top_k(asked @ self.vectors.T, NEAREST))
        asked, nothing = np.ascontiguousarray(asked), np.zeros(len(self.vectors), dtype=np.float32)
        coarse = kernels.coarse(asked, self._documents, nothing)
        return leaning(asked, self.vectors, kernels.refined(asked, self._documents, nothing, coarse, NEAREST))


def leaning(asked: Floats, vectors: Floats, near: Ints) -> Floats:
    """(n, d) the query vectors *asked*, each drawn half its length towards the mean of its nearest document *vectors*.

    A query is a word or two; what lies nearest says in whole titles what such a word stands for here (Rocchio).

    Args:
        asked: (n, d).
        vectors: (documents, d).
        near: (n, NEAREST) documents nearest to each query; -1: no more.
    """
    found = near != PAD
    total = np.where(found[:, :, None], vectors[np.maximum(near, 0)], 0).sum(axis=1)
    return unit(asked + np.float32(LEANING) * total / np.maximum(found.sum(axis=1), 1)[:, None])


def unit(rows: Floats) -> Floats:
    """Rows scaled to length one; zeros stay zeros."""
    scaled: Floats = (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)).astype(np.float32)
    return scaled
