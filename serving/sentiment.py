"""How glad a review sounds, in English or Chinese: logistic regression over its characters, words and pairs of them."""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy import sparse

from components.common.files import read_json, write_json
from serving.arrays import Floats, Ints, stored
from serving.text import folded, is_chinese, runs

TERMS_FILE, BIAS_FILE = "terms.json", "bias.json"
ARRAYS = ("scale", "weights")
LONGEST = 2_000  # characters of a review that are read
_NUMBER = re.compile(r"\d{3,}")


def terms(text: str) -> list[str]:
    """The distinct features of a review, in order of appearance.

    Chinese gives its characters and their pairs, letters give words; beside them every two words that follow each
    other, so that `not good` is not `good`. Signs count as words: `!` speaks, too. Numbers of three digits and more
    are taken out: telephone and order numbers say nothing of the goods.

    >>> terms("Not good!")
    ['not', 'good', 'not good', 'good !']
    """
    from rjieba import cut  # late: its dictionary takes 55 MB

    plain = _NUMBER.sub(" ", folded(text[:LONGEST]))
    found: dict[str, None] = {}
    for run in runs(plain):
        if is_chinese(run):
            found |= dict.fromkeys(run)
            found |= dict.fromkeys(map("".join, pairwise(run)))
        else:
            found[run] = None
    tokens = [token for token in cut(plain) if not token.isspace()]
    found |= dict.fromkeys(map(" ".join, pairwise(tokens)))
    return list(found)


class Sentiment:
    """Scores texts; learned by components.train_text.sentiment."""

    def __init__(self, names: Sequence[str], scale: Floats, weights: Floats, bias: float) -> None:
        """Keep the arrays.

        Args:
            names: the terms by row.
            scale: (terms,) what holding a term counts, before a text is brought to length one.
            weights: (terms,) what it says for the text being positive.
            bias: what is said of a text without terms; log odds.
        """
        self.names, self.scale, self.weights, self.bias = list(names), scale, weights, bias
        self.rows = {name: row for row, name in enumerate(self.names)}

    def positive(self, texts: Sequence[str]) -> Floats:
        """(n,) probability that each text is a positive review; NaN where none of its terms is known."""
        held = [[self.rows[term] for term in terms(text) if term in self.rows] for text in texts]
        indptr = np.cumsum([0, *map(len, held)])
        columns = np.array([row for found in held for row in found], dtype=np.int32)
        odds = unit_rows(columns, indptr.astype(np.int32), self.scale) @ self.weights + np.float32(self.bias)
        found: Floats = np.where(np.diff(indptr) > 0, 1 / (1 + np.exp(-odds)), np.nan).astype(np.float32)
        return found

    def save(self, folder: Path) -> None:
        """Write terms.json, bias.json, scale.npy and weights.npy."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / TERMS_FILE, self.names)
        write_json(folder / BIAS_FILE, self.bias)
        for name in ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> "Sentiment":
        """Read what `save` wrote."""
        scale, weights = (stored(folder / f"{name}.npy") for name in ARRAYS)
        return cls(read_json(folder / TERMS_FILE), scale, weights, read_json(folder / BIAS_FILE))


def unit_rows(columns: Ints, indptr: Ints, scale: Floats) -> sparse.csr_matrix:
    """(n, terms) float32: row i holds scale[j] for its *columns* j, brought to length one; empty rows stay zero."""
    data = scale[columns]
    row_of = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    length = np.sqrt(np.bincount(row_of, data.astype(np.float64) ** 2, minlength=len(indptr) - 1))
    data = (data / np.maximum(length, 1e-12)[row_of]).astype(np.float32)
    return sparse.csr_matrix((data, columns, indptr), shape=(len(indptr) - 1, len(scale)))
