"""BM25 over the fields of an item: words of a query against words of the catalogue."""

from bisect import bisect_left
from collections import defaultdict
from functools import cached_property, lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
from scipy import sparse

from components.common.files import read_json
from serving.arrays import Floats, Ints, stored
from serving.catalogue import Catalogue
from serving.glossary import GLOSSARY_FILE, Glossary
from serving.members.base import Family, Member
from serving.queries import SEARCH, Queries
from serving.sparse import SparseRows, Weighted
from serving.spelling import Spelling
from serving.text import is_alphabetic, runs, trigrams, words

VOCABULARY_FILE = "vocabulary.json"
FALLBACK_WEIGHT = 0.5
SIMILAR_WORDS = 4
MOST_GUESSES = 8  # unknown words of a query whose meaning is looked for; each costs a pass over a share of the terms
LEAST_OVERLAP = 0.4
LEAST_LETTERS = 3  # of a word whose meaning is looked for
REMEMBERED = 4_096  # unknown words whose guesses are kept
PART_WEIGHT = 0.2  # of what a known Chinese word is made of


class Vocabulary:
    """Terms by row, with a way to what an unknown word may have meant."""

    def __init__(self, terms: list[str], held: Ints | None = None) -> None:
        """Keep the terms.

        Args:
            terms: by row.
            held: (terms,) items that hold each; None: all alike.
        """
        self.terms = terms
        self.held = np.ones(len(terms), dtype=np.int32) if held is None else held
        self.rows = {term: row for row, term in enumerate(terms)}
        self.spelling = Spelling(terms)
        self._near = lru_cache(REMEMBERED)(self._guess)

    def forget(self) -> None:
        """Forget what unknown words were taken for."""
        self._near.cache_clear()

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self.terms)

    @cached_property
    def _by_trigram(self) -> dict[str, list[int]]:
        rows = defaultdict(list)
        for row, term in enumerate(self.terms):
            for part in trigrams(term):
                rows[part].append(row)
        return rows

    def weights(self, text: str) -> dict[int, float]:
        """Weight by row of the terms of *text*; unknown words give up to SIMILAR_WORDS near ones.

        What a known Chinese word is made of weighs PART_WEIGHT: the word has said it already.
        """
        found: dict[int, float] = defaultdict(float)
        distinct = list(dict.fromkeys(words(text)))
        known = [word for word in distinct if word in self.rows]
        parts = {part for word in known if not is_alphabetic(word) for part in _parts(word)}
        for word in known:
            found[self.rows[word]] = PART_WEIGHT if word in parts else 1.0
        for word in [word for word in distinct if word not in self.rows][:MOST_GUESSES]:
            for row, weight in self._near(word):
                found[row] = max(found[row], weight)
        return found

    def strangeness(self, text: str) -> float:
        """The share of the runs of letters or characters in *text* without any known or guessed term; 1: says nothing.

        Short words of letters are not missed beside others: a catalogue need not hold every `of`.
        """
        found = runs(text)
        silent = [run for run in found if not any(word in self.rows for word in words(run))]
        if len(silent) == len(found) and not self.weights(text):
            return 1.0
        missed = [run for run in silent if len(run) >= LEAST_LETTERS or not is_alphabetic(run)]
        guessed = sum(bool(self.weights(run)) for run in missed[:MOST_GUESSES])
        return (len(missed) - guessed) / len(found)

    def _guess(self, word: str) -> list[tuple[int, float]]:
        """Terms that start with *word*, else its corrections, else terms that share many of its character triples."""
        if len(word) < LEAST_LETTERS or not is_alphabetic(word):
            return []
        near = self._starting(word) or self._corrected(word) or self._resembling(word)
        return [(row, FALLBACK_WEIGHT * likeness) for row, likeness in near]

    def _corrected(self, word: str) -> list[tuple[int, float]]:
        """The nearest spellings, the most common first; what few items hold is hardly what was meant."""
        near = sorted(self.spelling.near(word), key=lambda pair: (-self.held[pair[0]], pair[0]))[:SIMILAR_WORDS]
        return [(row, (1 - slips / len(word)) * self.held[row] / self.held[near[0][0]]) for row, slips in near]

    def _starting(self, word: str) -> list[tuple[int, float]]:
        at = bisect_left(self._sorted, word)
        near = [term for term in self._sorted[at : at + SIMILAR_WORDS] if term.startswith(word)]
        return [(self.rows[term], len(word) / len(term)) for term in near]

    def _resembling(self, word: str) -> list[tuple[int, float]]:
        parts = trigrams(word)
        shared: dict[int, int] = defaultdict(int)
        for part in parts:
            for row in self._by_trigram.get(part, ()):
                shared[row] += 1
        likeness = [
            (row, 2 * count / (len(parts) + len(trigrams(self.terms[row]))))
            for row, count in shared.items()
            if 2 * count >= LEAST_OVERLAP * len(parts)
        ]
        near = [pair for pair in likeness if pair[1] >= LEAST_OVERLAP]
        return sorted(near, key=lambda pair: (-pair[1], pair[0]))[:SIMILAR_WORDS]


def _parts(word: str) -> set[str]:
    """Every proper part of *word*."""
    size = len(word)
    return {word[start:end] for start in range(size) for end in range(start + 1, size + 1)} - {word}


class Lexical(Member):
    """Sums the precomputed impacts of the query's terms; NaN for items that hold none of them."""

    kind: ClassVar[str] = "lexical"
    family: ClassVar[Family] = "text"
    scenarios: ClassVar[frozenset[str]] = frozenset({SEARCH})

    def __init__(self, vocabulary: Vocabulary, impacts: sparse.csr_matrix, glossary: Glossary | None = None) -> None:
        self.vocabulary = vocabulary
        self.impacts, self._rows = impacts, SparseRows(impacts)  # (terms, n_items), all stored values above 0
        self._glossary = glossary

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> "Lexical":
        """Read vocabulary.json, the impacts (data.npy, indices.npy, indptr.npy) and, if it is there, glossary.json."""
        terms = read_json(folder / VOCABULARY_FILE)
        data, indices, indptr = (stored(folder / f"{name}.npy") for name in ("data", "indices", "indptr"))
        impacts = sparse.csr_matrix((data, indices, indptr), shape=(len(terms), len(catalogue)))
        told = folder / GLOSSARY_FILE
        glossary = Glossary(told) if told.exists() else None
        return cls(Vocabulary(terms, np.diff(indptr).astype(np.int32)), impacts, glossary)

    @property
    def glossary(self) -> Glossary | None:
        """What Chinese words are called in the catalogue's English."""
        return self._glossary

    def passes_over(self, _text: str) -> float:
        """The share of the query's words, as typed or in English, that no item holds, nor anything like them."""
        strange = self.vocabulary.strangeness(_text)
        if not strange or self._glossary is None:
            return strange
        return min(strange, self.vocabulary.strangeness(self._glossary.meant(_text)))

    def score_all(self, queries: Queries) -> Floats:
        """(n, n_items) BM25; NaN where no term matches, everywhere for a query without a known word."""
        found = [self.vocabulary.weights(text) for text in queries.texts or ("",) * len(queries)]
        indptr = np.cumsum([0, *(len(row) for row in found)])
        terms = np.array([term for row in found for term in row], dtype=np.int32)
        weights = np.array([weight for row in found for weight in row.values()], dtype=np.float32)
        scores = self._rows.summed(Weighted(indptr, terms, weights))
        scores[scores == 0] = np.nan
        return scores
