"""What an item looks like: beside an item, beside a photo, for a user, and for the words of a query."""

from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from serving.arrays import Floats
from serving.catalogue import Catalogue
from serving.members.seen import Seen, read_arrays
from serving.members.text import unit
from serving.queries import RECOMMEND, SEARCH, SIMILAR, Queries

HEAD = ("hidden", "hidden_bias", "words", "words_bias", "projection")
WORDS = ("shown", "said", "text_mean", "text_directions")


class Head:
    """From an encoder's vector of a photo to the space of `looks`: the vector itself, beside the words it suggests."""

    def __init__(
        self, hidden: Floats, hidden_bias: Floats, words: Floats, words_bias: Floats, projection: Floats
    ) -> None:
        """Keep the arrays.

        Args:
            hidden: (d, h) first layer; h may be 0: nothing was learned of words.
            hidden_bias: (h,).
            words: (h, t) second layer.
            words_bias: (t,).
            projection: (d + t, p), or (d, p) without words.
        """
        self.hidden, self.hidden_bias, self.words, self.words_bias = hidden, hidden_bias, words, words_bias
        self.projection = projection

    def suggested(self, vectors: Floats) -> Floats:
        """(n, t) what (n, d) photos suggest of a text, rows of length one."""
        scaled = np.asarray(vectors * self.hidden.shape[0] ** 0.5, dtype=np.float32)
        inner = np.maximum(scaled @ self.hidden + self.hidden_bias, np.float32(0))
        return unit(inner @ self.words + self.words_bias)

    def looks(self, vectors: Floats) -> Floats:
        """(n, p) rows of length one; NaN stays NaN."""
        parts = [vectors, self.suggested(vectors)] if self.hidden.shape[1] else [vectors]
        joint = np.concatenate([part / np.float32(len(parts) ** 0.5) for part in parts], axis=1)
        return unit(np.asarray(joint @ self.projection, dtype=np.float32))


class Image(Seen):
    """As `Seen`; a question that brings a photo is asked by it, and words are compared with what photos suggest."""

    kind: ClassVar[str] = "image"
    scenarios: ClassVar[frozenset[str]] = frozenset({RECOMMEND, SIMILAR, SEARCH})

    head: Head
    shown: Floats  # (n_items, p) of length one: the catalogue's photos through the head, as those of questions
    said: (
        Floats  # (n_items, m) of length one: what photos suggest, in the space of encoded texts; (n_items, 0): nothing
    )
    text_mean: Floats
    text_directions: Floats

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> Self:
        """Read what `Seen` reads, the head's arrays, and what compares words with photos."""
        member = super().load(folder, catalogue)
        member.head = Head(*read_arrays(folder, HEAD))
        member.shown, member.said, member.text_mean, member.text_directions = read_arrays(folder, WORDS)
        member.shown, member.said = np.nan_to_num(member.shown), np.nan_to_num(member.said)
        return member

    def score_all(self, queries: Queries) -> Floats:
        """(n, n_items) cosines in [-1, 1]; NaN = not scored. A search by words and a photo takes the mean of both."""
        if queries.scenario == RECOMMEND:
            return super().score_all(queries)
        scores = self._by_words(queries) if queries.scenario == SEARCH else super().score_all(queries)
        if queries.image_vectors is None:
            return scores
        by_photo = self._masked(self.head.looks(queries.image_vectors) @ self.shown.T)
        both = np.asarray((scores + by_photo) / 2, dtype=np.float32)
        return np.where(np.isnan(by_photo), scores, np.where(np.isnan(scores), by_photo, both))

    def _by_words(self, queries: Queries) -> Floats:
        if queries.text_vectors is None or not self.said.shape[1]:
            return np.full((len(queries), len(self.looks)), np.nan, dtype=np.float32)
        centred = queries.text_vectors - self.text_mean
        wanted = unit(np.asarray(centred @ self.text_directions, dtype=np.float32))
        return self._masked(wanted @ self.said.T)
