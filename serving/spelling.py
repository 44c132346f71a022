"""Words of the catalogue that differ from an unknown word by a slip or two of the hand."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from serving.arrays import Ints

ONE_SLIP, TWO_SLIPS = 4, 8  # letters from which a word may be off by one, by two
Masks = npt.NDArray[np.uint64]
Codes = npt.NDArray[np.uint32]


class Spelling:
    """Finds terms by edit distance: a letter too many, too few or wrong, or two neighbours exchanged, count one.

    Only words of letters are corrected and only to such words: numbers and model names mean what they say. Chinese,
    kana and Hangul are left alone. Nothing is prepared before the first unknown word.
    """

    def __init__(self, terms: Sequence[str]) -> None:
        self.terms = terms

    def near(self, word: str) -> list[tuple[int, int]]:
        """(row, distance) of the terms that are closest to *word* within what its length allows, by row."""
        most = slips(word)
        if not most or not is_spelt(word):
            return []
        rows, lengths, masks = self._index
        differing = np.bitwise_count(masks ^ np.uint64(_mask(word)))  # an edit changes two letters of the set at most
        chosen = rows[(np.abs(lengths - len(word)) <= most) & (differing <= 2 * most)]
        if not len(chosen):
            return []
        found = distances(word, [self.terms[row] for row in chosen])
        least = int(found.min())
        return [(int(row), least) for row in chosen[found == least]] if least <= most else []

    @cached_property
    def _index(self) -> tuple[Ints, Ints, Masks]:
        """Rows, lengths and sets of letters of the terms that a word may be corrected to."""
        rows = [row for row, term in enumerate(self.terms) if len(term) >= ONE_SLIP - 1 and is_spelt(term)]
        lengths = [len(self.terms[row]) for row in rows]
        masks = [_mask(self.terms[row]) for row in rows]
        return np.array(rows, np.int32), np.array(lengths, np.int32), np.array(masks, np.uint64)


def slips(word: str) -> int:
    """How many edits a word of this length may be off by.

    >>> [slips(word) for word in ("usb", "hdmi", "headphon")]
    [0, 1, 2]
    """
    return (len(word) >= ONE_SLIP) + (len(word) >= TWO_SLIPS)


def is_spelt(word: str) -> bool:
    """Is *word* made of letters of an alphabet with upper and lower case."""
    return word.isalpha() and word.upper() != word


def _mask(word: str) -> int:
    """The set of letters of *word* as bits of 64."""
    mask = 0
    for letter in word:
        mask |= 1 << (ord(letter) & 63)
    return mask


def distances(word: str, others: Sequence[str]) -> Ints:
    """(n,) edits from *word* to each of *others*, all at once (optimal string alignment).

    >>> distances("cabel", ["cable", "label", "cab"]).tolist()
    [1, 1, 2]
    """
    lengths = np.array([len(other) for other in others], dtype=np.int32)
    width = int(lengths.max(initial=0))
    letters = np.zeros((len(others), width), dtype=np.uint32)
    for row, other in enumerate(others):
        letters[row, : len(other)] = [ord(letter) for letter in other]
    before: Ints = np.zeros((width + 1, len(others)), dtype=np.int32)
    above: Ints = np.repeat(np.arange(width + 1, dtype=np.int32)[:, None], len(others), axis=1)
    for at, letter in enumerate(word):
        before, above = above, _next_row(word, at, ord(letter), letters, before, above)
    return np.asarray(np.take_along_axis(above, lengths[None, :], axis=0)[0], dtype=np.int32)


def _next_row(word: str, at: int, letter: int, letters: Codes, before: Ints, above: Ints) -> Ints:
    """The row of the table of distances for the letter *at* of *word*; (width + 1, n)."""
    row = np.empty_like(above)
    row[0] = at + 1
    for place in range(letters.shape[1]):
        differs = letters[:, place] != letter
        row[place + 1] = np.minimum(np.minimum(row[place], above[place + 1]) + 1, above[place] + differs)
        if at and place:
            exchanged = (letters[:, place] == ord(word[at - 1])) & (letters[:, place - 1] == letter)
            row[place + 1] = np.where(exchanged, np.minimum(row[place + 1], before[place - 1] + 1), row[place + 1])
    return row
