"""What a batch of questions must not be shown, asked of whole rows or of single candidates."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from serving.arrays import PAD, Bools, Floats, Ints, Longs


@dataclass(frozen=True)
class Hidden:
    """everywhere: (n_items,) hidden from all; rows: the same as rows of items.

    blocks: questions, and (n_items,) what is hidden from them. pairs: question and item.
    """

    everywhere: Bools
    rows: Longs
    blocks: tuple[tuple[Longs, Bools], ...] = ()
    pairs: tuple[tuple[Longs, Ints], ...] = ()

    @classmethod
    def nothing(cls, n_items: int) -> "Hidden":
        """All of *n_items* may be shown."""
        return cls(np.zeros(n_items, dtype=bool), np.empty(0, dtype=np.int64))

    def apply(self, scores: Floats) -> None:
        """Set the scores (n, n_items) of what is hidden to -inf, in place."""
        if len(self.rows):
            scores[:, self.rows] = -np.inf
        for questions, mask in self.blocks:
            scores[np.ix_(questions, np.flatnonzero(mask))] = -np.inf
        for pair in self.pairs:
            scores[pair] = -np.inf

    def at(self, candidates: Ints) -> Bools:
        """(n, c) is it hidden, of (n, c) *candidates*; padding (-1) is."""
        items = np.maximum(candidates, 0)
        found = self.everywhere[items] | (candidates == PAD)
        for questions, mask in self.blocks:
            found[questions] |= mask[items[questions]]
        keys = self._keys
        if len(keys):
            wanted = items + (np.arange(len(items)) * len(self.everywhere))[:, None]
            found |= keys[np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)] == wanted
        return np.asarray(found)

    def of(self, question: int, n: int) -> "Hidden":
        """What one of *n* questions must not be shown."""
        if n == 1:
            return self
        blocks = tuple(
            (np.zeros(1, np.int64), mask) for questions, mask in self.blocks if (questions == question).any()
        )
        own = [items[questions == question] for questions, items in self.pairs]
        pairs = tuple((np.zeros(len(items), np.int64), items) for items in own)
        return Hidden(self.everywhere, self.rows, blocks, pairs)

    def room(self, k: int) -> int:
        """How many items to look at so that *k* may be expected to be left for every question."""
        own = max((int(np.bincount(questions).max(initial=0)) for questions, _ in self.pairs), default=0)
        share = self._shares[0] + max(self._shares[1:], default=0.0)
        return int(np.ceil((k + own * len(self.pairs)) / max(1 - share, 0.1)))

    @cached_property
    def _keys(self) -> Longs:
        """(pairs,) question times n_items plus item, ascending."""
        keys = [questions * len(self.everywhere) + items for questions, items in self.pairs]
        return np.sort(np.concatenate([*keys, np.empty(0, dtype=np.int64)])).astype(np.int64)

    @cached_property
    def _shares(self) -> list[float]:
        """The share of the catalogue that is hidden from all, then by each block."""
        size = max(len(self.everywhere), 1)
        return [len(self.rows) / size, *(np.count_nonzero(mask) / size for _, mask in self.blocks)]
