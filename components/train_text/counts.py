"""Term counts of texts as sparse matrices."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from scipy import sparse

from serving.text import words

Counts: TypeAlias = sparse.csr_matrix


def count_terms(fields: dict[str, Sequence[str]]) -> tuple[list[str], dict[str, Counts]]:
    """Count the words of each field over one vocabulary.

    Args:
        fields: name -> n texts.

    Returns:
        Terms, sorted; per field an (n, terms) float32 matrix of counts.
    """
    tokens = {name: [words(text) for text in texts] for name, texts in fields.items()}
    terms = sorted({word for rows in tokens.values() for row in rows for word in row})
    rows = {term: at for at, term in enumerate(terms)}
    return terms, {name: count(found, rows) for name, found in tokens.items()}


def count(tokens: Sequence[Sequence[str]], rows: dict[str, int]) -> Counts:
    """(n, terms) float32 counts; words outside *rows* are left out."""
    known = [[rows[word] for word in row if word in rows] for row in tokens]
    indptr = np.cumsum([0, *map(len, known)])
    indices = np.array([term for row in known for term in row], dtype=np.int32)
    counts = sparse.csr_matrix((np.ones(len(indices), np.float32), indices, indptr), shape=(len(known), len(rows)))
    counts.sum_duplicates()
    return counts
