"""Content by TF-IDF: what a user's items say, against what every item says."""

from pathlib import Path
from typing import ClassVar

import numpy as np
from scipy import sparse

from components.common.errors import ReleaseError
from components.common.files import read_json
from serving.arrays import Floats, Ints, stored
from serving.catalogue import Catalogue
from serving.members.base import MEMBER_FILE, Family, Member
from serving.members.interest import interest_weights
from serving.queries import BUNDLE, RECOMMEND, SEARCH, SIMILAR, Queries
from serving.sparse import SparseRows, Weighted
from serving.states import UserStates
from serving.text import words

VOCABULARY_FILE = "vocabulary.json"


class Tfidf(Member):
    """Cosine between a profile and the items' documents; for a user, times a power of popularity.

    Items that say the same share one document, so a batch costs what the distinct documents cost.
    NaN for users without a document in their history, queries without a known word, items without a term.
    """

    kind: ClassVar[str] = "tfidf"
    family: ClassVar[Family] = "text"
    scenarios: ClassVar[frozenset[str]] = frozenset({RECOMMEND, SIMILAR, SEARCH, BUNDLE})

    def __init__(
        self,
        terms: dict[str, int],
        idf: Floats,
        documents: sparse.csr_matrix,
        document_of: Ints,
        prior: Floats,
        half_life: float,
        count_power: float,
    ) -> None:
        """Keep the arrays.

        Args:
            terms: row of each term.
            idf: (terms,).
            documents: (n_documents, terms), rows of length one, or empty.
            document_of: (n_items,) document of each item.
            prior: (n_items,) factor for how wanted the item is by all; used for `recommend` only.
            half_life: visits after which a history's entry counts half.
            count_power: how repeated visits add up.
        """
        self.terms, self.idf = terms, idf
        self.documents, self.document_of, self.prior = documents, document_of, prior
        self.by_term = documents.T.tocsr()
        self._documents, self._by_term = SparseRows(documents), SparseRows(self.by_term)
        self.silent = np.flatnonzero(np.diff(documents.indptr) == 0)
        self.half_life, self.count_power = half_life, count_power

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> "Tfidf":
        """Read vocabulary.json, idf.npy, document_of.npy and the documents' data, indices and indptr."""
        numbers = read_json(folder / MEMBER_FILE)
        terms = {term: row for row, term in enumerate(read_json(folder / VOCABULARY_FILE))}
        idf, document_of, prior, data, indices, indptr = (
            stored(folder / f"{name}.npy") for name in ("idf", "document_of", "prior", "data", "indices", "indptr")
        )
        if len(document_of) != len(catalogue):
            raise ReleaseError(f"{folder}: {len(document_of)} items, the catalogue has {len(catalogue)}. Train again.")
        documents = sparse.csr_matrix((data, indices, indptr), shape=(len(indptr) - 1, len(terms)))
        return cls(terms, idf, documents, document_of, prior, numbers["half_life"], numbers["count_power"])

    def score_all(self, queries: Queries) -> Floats:
        """(n, n_items) values in [0, 1]; NaN = not scored."""
        profiles = self._asked(queries) if queries.scenario == SEARCH else self._profiles(queries.states)
        row_of = np.repeat(np.arange(len(queries)), np.diff(profiles.indptr))
        length = np.sqrt(np.bincount(row_of, profiles.weights**2, minlength=len(queries))).astype(np.float32)
        shares = np.asarray(profiles.weights / np.maximum(length, 1e-12)[row_of], dtype=np.float32)
        scores = self._by_term.summed(profiles.of(shares))
        scores[length == 0] = np.nan
        scores[:, self.silent] = np.nan
        gathered: Floats = np.take(scores, self.document_of, axis=1)  # row by row in memory
        if queries.scenario == RECOMMEND:
            gathered *= self.prior
        return gathered

    def _profiles(self, states: UserStates) -> Weighted:
        """(n, terms) weighted sums of the documents in each history."""
        weights = interest_weights(states, self.half_life, self.count_power)
        return self._documents.product(Weighted(states.indptr, self.document_of[states.items], weights))

    def _asked(self, queries: Queries) -> Weighted:
        """(n, terms) IDF of each query's known words."""
        texts = queries.texts or ("",) * len(queries)
        known = [[self.terms[word] for word in dict.fromkeys(words(text)) if word in self.terms] for text in texts]
        indptr = np.cumsum([0, *map(len, known)])
        terms = np.array([term for row in known for term in row], dtype=np.int32)
        return Weighted(indptr, terms, self.idf[terms])
