"""What members say whose scores are products of a question's vector with those of items."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from serving import kernels
from serving.arrays import PAD, Bools, Floats, Ints, Longs, top_k
from serving.arrays import at as taken
from serving.hidden import Hidden
from serving.index import VectorIndex
from serving.members.base import Member
from serving.members.codes import Coded, codes_of
from serving.opinion import Opinion, Rows
from serving.queries import Queries

INDEXED = 150_000  # items from which an index is less to read than all vectors in eight bits (docs/decisions/0017)


@dataclass(frozen=True)
class Space:
    """score = vector of the question . vectors[place[item]] + bias[item]; NaN at items that are not *known*.

    vectors: (m, d). known: (n_items,). bias: (n_items,), None: nothing is added. place: (n_items,), None: its own row.
    """

    vectors: Floats
    known: Bools
    bias: Floats | None = None
    place: Ints | None = None

    @property
    def width(self) -> int:
        """Dimensions of an index over it: those of the vectors and one for the bias, an even number."""
        return int(-(-(self.vectors.shape[1] + (self.bias is not None)) // 2) * 2)

    def rows(self, items: Ints | Longs) -> Floats:
        """(m, width) vectors of *items* as an index holds them."""
        found = np.zeros((len(items), self.width), dtype=np.float32)
        d = self.vectors.shape[1]
        found[:, :d] = self.vectors[items if self.place is None else self.place[items]]
        if self.bias is not None:
            found[:, d] = self.bias[items]
        return found

    def asked(self, vectors: Floats, biased: bool) -> Floats:
        """(n, width) vectors of questions whose products with `rows` are scores; *biased*: with the bias."""
        found = np.zeros((len(vectors), self.width), dtype=np.float32)
        found[:, : vectors.shape[1]] = np.nan_to_num(vectors)
        if biased and self.bias is not None:
            found[:, vectors.shape[1]] = 1
        return found

    @cached_property
    def _added(self) -> tuple[Floats, Floats]:
        """(n_items,) what is added to a product, without and with the bias; NaN: not scored."""
        nothing = np.where(self.known, np.float32(0), np.float32(np.nan))
        return nothing, nothing if self.bias is None else (nothing + self.bias).astype(np.float32)

    def added(self, biased: bool) -> Floats:
        """(n_items,) what is added to a product, NaN where an item is not scored; *biased*: with the bias."""
        return self._added[biased]

    def at(self, vectors: Floats, biased: bool, candidates: Ints) -> Floats:
        """(n, c) scores of (n, c) *candidates* by (n, d) *vectors*; NaN = not scored."""
        if kernels.there:
            return kernels.exact(vectors, self.vectors, self.place, self.added(biased), candidates)
        found = np.empty(candidates.shape, dtype=np.float32)
        for row, items in enumerate(np.maximum(candidates, 0)):
            found[row] = self.vectors[items if self.place is None else self.place[items]] @ vectors[row]
        if biased and self.bias is not None:
            found += self.bias[candidates]
        found[(candidates == PAD) | ~self.known[candidates]] = np.nan
        return found


class Near(Opinion):
    """The best are found by an index and scored anew by the vectors themselves."""

    def __init__(
        self,
        space: Space,
        index: VectorIndex,
        vectors: Floats,
        biased: bool,
        hidden: Hidden,
        whole: Callable[[], Floats],
    ) -> None:
        """Keep what was asked.

        Args:
            space: of the items.
            index: over its `rows`.
            vectors: (n, d) of the questions; NaN: nothing is scored.
            biased: does the bias of an item count.
            hidden: what must not be shown.
            whole: (n, n_items) scores, should the index find too few.
        """
        super().__init__()
        self.space, self.index, self.vectors, self.biased = space, index, vectors, biased
        self.hidden, self.whole = hidden, whole

    def _best(self, k: int) -> Ints:
        found = [self._of(row, min(k, len(self.space.known))) for row in range(len(self.vectors))]
        return np.stack(found) if found else np.empty((0, k), dtype=np.int32)

    def _of(self, row: int, k: int) -> Ints:
        """(k,) of one question: how many are looked up hangs on what is hidden from it alone."""
        hidden, vector = self.hidden.of(row, len(self.vectors)), self.vectors[row : row + 1]
        fetched = self.index.search(self.space.asked(vector, self.biased), hidden.room(k + self.index.beyond))
        fetched.sort(axis=1)  # of equals the lower row comes first
        scores = self.space.at(vector, self.biased, fetched)
        scores[hidden.at(fetched)] = -np.inf
        places = top_k(scores, k)
        found = np.where(places == PAD, PAD, taken(fetched, np.maximum(places, 0))).astype(np.int32)[0]
        if np.isfinite(vector[0, 0]) and np.count_nonzero(found != PAD) < k:
            found = Rows.masked(self._all[row : row + 1].copy(), hidden).best(k)[0]
        best = np.full(k, PAD, dtype=np.int32)
        best[: len(found)] = found
        return best

    @cached_property
    def _all(self) -> Floats:
        return self.whole()

    def at(self, candidates: Ints) -> Floats:
        """See the base."""
        return self.space.at(self.vectors, self.biased, candidates)

    def hides(self, candidates: Ints) -> Bools:
        """See the base."""
        return self.hidden.at(candidates)


class Dense(Member):
    """A member whose release may hold an index of its items."""

    index: VectorIndex | None = None

    @property
    def prompt(self) -> bool:
        """By vectors in eight bits, where the processor can."""
        return kernels.scans

    @cached_property
    def _coded(self) -> kernels.Items:
        """The items in eight bits."""
        return codes_of(self.space.vectors, self.space.place)

    @property
    def _by_index(self) -> bool:
        """Is an index there, and less to read than all items in eight bits."""
        return self.index is not None and not (self.prompt and len(self.space.known) < INDEXED)

    @property
    @abstractmethod
    def space(self) -> Space:
        """Its items."""

    @abstractmethod
    def asked(self, queries: Queries) -> tuple[Floats, bool] | None:
        """(n, d) vectors of the questions, NaN: nothing is scored, and does the bias count; None: it is no product."""

    def ready(self) -> None:
        """Fill the index, or write the items in eight bits, whichever is read."""
        if self.index is not None and self._by_index:
            self.index.fill()
        elif self.prompt:
            _ = self._coded

    def opinion(self, queries: Queries, hidden: Hidden) -> Opinion | None:
        """By the index, if it is read; else by vectors in eight bits, where the processor can."""
        asked = self.asked(queries) if self.index is not None or self.prompt else None
        if asked is None:
            return None
        if self.index is not None and self._by_index:
            return Near(self.space, self.index, *asked, hidden, lambda: self.score_all(queries))
        return Coded(self._coded, asked[0], self.space.added(asked[1]), hidden)
