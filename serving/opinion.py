"""What a member says of a batch of questions: its own best items, and its scores at what others have found.

In most catalogues a member scores every item, and both are read off its rows. From LARGE items on, where nothing but
rules hides items, members that can say both without scoring everything; the others go on with whole rows.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from serving.arrays import PAD, Bools, Floats, Ints, gather, gather_all, top_k
from serving.arrays import at as taken
from serving.hidden import Hidden

LARGE = 50_000  # items; below, scoring all costs no more than looking them up (docs/decisions/0017)


class Opinion(ABC):
    """On n questions, by one member."""

    def __init__(self) -> None:
        self._found: dict[int, Ints] = {}

    def best(self, k: int) -> Ints:
        """(n, at most k) its best catalogue rows that are not hidden, best first, ties by the lower row; -1 after."""
        if k not in self._found:
            self._found[k] = self._best(k)
        return self._found[k]

    @abstractmethod
    def _best(self, k: int) -> Ints: ...

    @abstractmethod
    def at(self, candidates: Ints) -> Floats:
        """(n, c) its scores at (n, c) *candidates*; NaN = not scored, and where a candidate is padding (-1)."""

    @abstractmethod
    def hides(self, candidates: Ints) -> Bools:
        """(n, c) must a candidate not be shown."""


class Rows(Opinion):
    """Read off scores of the whole catalogue."""

    def __init__(self, scores: Floats) -> None:
        """Take (n, n_items) scores; -inf for what is hidden."""
        super().__init__()
        self.scores = scores

    @classmethod
    def masked(cls, scores: Floats, hidden: Hidden, allowed: Bools | None = None) -> "Rows":
        """Hide in *scores*, in place, what rules hide and what is not *allowed* ((n, n_items) or (n_items,))."""
        hidden.apply(scores)
        if allowed is not None:
            np.copyto(scores, np.float32(-np.inf), where=~np.broadcast_to(allowed, scores.shape))
        return cls(scores)

    def _best(self, k: int) -> Ints:
        return top_k(self.scores, k)

    def at(self, candidates: Ints) -> Floats:
        """See the base; -inf where it is hidden."""
        return gather(self.scores, candidates)

    def hides(self, candidates: Ints) -> Bools:
        """Those of -inf."""
        return np.asarray(np.isneginf(self.at(candidates)))


def all_at(opinions: Sequence[Opinion], candidates: Ints) -> Floats:
    """(n, K, c) scores of K opinions at (n, c) *candidates*; NaN = not scored."""
    whole = [column for column, opinion in enumerate(opinions) if isinstance(opinion, Rows)]
    rows = [opinion.scores for opinion in opinions if isinstance(opinion, Rows)]
    if len(rows) == len(opinions):
        return gather_all(rows, candidates)
    found = np.empty((len(candidates), len(opinions), candidates.shape[1]), dtype=np.float32)
    if rows:
        found[:, whole] = gather_all(rows, candidates)
    for column, opinion in enumerate(opinions):
        if not isinstance(opinion, Rows):
            found[:, column] = opinion.at(candidates)
    return found


class Ordered(Opinion):
    """The same scores for everyone, their order known before."""

    def __init__(self, scores: Floats, order: Ints, hidden: Hidden, n: int) -> None:
        """Take (n_items,) scores, NaN = not scored, and the rows of the others, best first, for *n* questions."""
        super().__init__()
        self.scores, self.order, self.hidden, self.n = scores, order, hidden, n

    def _best(self, k: int) -> Ints:
        return first_of(self.order, self.hidden, self.n, k)

    def at(self, candidates: Ints) -> Floats:
        """See the base."""
        found = self.scores[np.maximum(candidates, 0)]
        found[candidates == PAD] = np.nan
        return found

    def hides(self, candidates: Ints) -> Bools:
        """See the base."""
        return self.hidden.at(candidates)


def ordered(scores: Floats) -> Ints:
    """Rows of *scores* (n_items,) without NaN, the highest first, ties by the lower row."""
    order = np.argsort(-scores, kind="stable")
    return order[~np.isnan(scores[order])].astype(np.int32)


def first_of(order: Ints, hidden: Hidden, n: int, k: int) -> Ints:
    """(n, k) for each of n questions the first k of *order* that are not hidden from it; -1 after the last."""
    width = hidden.room(k)
    while True:
        head = np.broadcast_to(order[:width], (n, min(width, len(order))))
        free = ~hidden.at(head)
        if width >= len(order) or np.count_nonzero(free, axis=1).min(initial=k) >= k:
            break
        width *= 2
    places = np.argsort(~free, axis=1, kind="stable")[:, :k]
    return np.where(taken(free, places), taken(head, places), PAD).astype(np.int32)
