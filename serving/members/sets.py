"""Items that hold the same attributes: what is said of attributes is said once for all of them."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from serving.arrays import PAD, Bools, Floats, Ints, Longs, top_k
from serving.hidden import Hidden
from serving.opinion import Opinion
from serving.sparse import SparseRows, of_each


@dataclass(frozen=True)
class Sets:
    """rows: of each distinct set its attributes. set_of: (n_items,).

    items: (n_items,) catalogue rows set after set, ascending in each; starts: (sets + 1,) where each begins.
    highest: (sets,) the highest prior among its items.
    """

    rows: SparseRows
    set_of: Ints
    items: Ints
    starts: Longs
    highest: Floats

    @classmethod
    def of(cls, attributes: sparse.csr_matrix, prior: Floats) -> "Sets | None":
        """The distinct rows of (n_items, a) *attributes*; None: fewer than half the items share theirs."""
        set_of, first = _groups(attributes)
        if 2 * len(first) > len(set_of) or not _same(attributes, first[set_of]):
            return None
        items = np.argsort(set_of, kind="stable").astype(np.int32)
        starts = np.searchsorted(set_of[items], np.arange(len(first) + 1))
        highest = np.maximum.reduceat(prior[items], starts[:-1]).astype(np.float32)
        return cls(SparseRows(attributes[first]), set_of.astype(np.int32), items, starts, highest)

    def of_sets(self, chosen: Ints) -> Ints:
        """Catalogue rows of the items of the sets *chosen*, ascending."""
        sizes = self.starts[chosen + 1] - self.starts[chosen]
        places = np.repeat(self.starts[chosen] - np.cumsum(sizes) + sizes, sizes) + np.arange(sizes.sum())
        return np.sort(self.items[places])


def _groups(attributes: sparse.csr_matrix) -> tuple[Longs, Longs]:
    """The set of each row and each set's first row, by a number that equal rows share; see `_same`."""
    rng = np.random.default_rng(0)
    numbers = rng.integers(1, 2**62, attributes.shape[1], dtype=np.uint64)
    weights = np.ascontiguousarray(attributes.data, dtype=np.float32).view(np.uint32).astype(np.uint64)
    sums = np.concatenate([[np.uint64(0)], np.cumsum(numbers[attributes.indices] * (2 * weights + 1))])
    keys = sums[attributes.indptr[1:]] - sums[attributes.indptr[:-1]]
    _, first, set_of = np.unique(keys, return_index=True, return_inverse=True)
    return np.asarray(set_of, dtype=np.int64), np.asarray(first, dtype=np.int64)


def _same(attributes: sparse.csr_matrix, others: Longs) -> bool:
    """Does every row hold just what the row *others* (n,) names holds: two sets may have got one number."""
    start, sizes = attributes.indptr[:-1], np.diff(attributes.indptr)
    if (sizes != sizes[others]).any():
        return False
    theirs = np.repeat(start[others] - start, sizes) + np.arange(len(attributes.indices))
    return bool(
        (attributes.indices == attributes.indices[theirs]).all() and (attributes.data == attributes.data[theirs]).all()
    )


class BySets(Opinion):
    """score = that of the item's set, plus its prior; what is not in the best sets is not looked at."""

    def __init__(self, sets: Sets, wanted: Floats, asked: Bools, prior: Floats | None, hidden: Hidden) -> None:
        """Score the sets.

        Args:
            sets: of the items.
            wanted: (n, a) what an attribute says.
            asked: (n,) False: nothing is scored.
            prior: (n_items,) added; None: nothing is.
            hidden: what must not be shown.
        """
        super().__init__()
        self.sets, self.prior, self.hidden = sets, prior, hidden
        self.scores = of_each(sets.rows, wanted)
        self.scores[:, sets.rows.sizes == 0] = np.nan
        self.scores[~asked] = np.nan

    def _best(self, k: int) -> Ints:
        k = min(k, len(self.sets.set_of))
        bounds = self.scores if self.prior is None else self.scores + self.sets.highest
        return np.stack([self._of(row, bounds[row : row + 1], k) for row in range(len(self.scores))])

    def _of(self, row: int, bounds: Floats, k: int) -> Ints:
        """(k,) of one question: items of so many sets that no other set can reach the last."""
        many, hidden = self.hidden.room(k), self.hidden.of(row, len(self.scores))
        while True:
            chosen = top_k(bounds, many)[0]
            items = self.sets.of_sets(chosen[chosen != PAD])[None]
            scores = self._at(row, items)
            scores[hidden.at(items)] = -np.inf
            places = top_k(scores, k)[0]
            found = places[places != PAD]
            last = chosen[-1] if len(chosen) else PAD
            if last == PAD or many >= bounds.shape[1]:
                break
            if len(found) == k and scores[0, found[-1]] > bounds[0, last]:
                break
            many *= 4
        best = np.full(k, PAD, dtype=np.int32)
        best[: len(found)] = items[0, found]
        return best

    def at(self, candidates: Ints) -> Floats:
        """See the base."""
        found = [self._at(row, candidates[row : row + 1]) for row in range(len(candidates))]
        return np.concatenate(found) if found else np.empty(candidates.shape, dtype=np.float32)

    def hides(self, candidates: Ints) -> Bools:
        """See the base."""
        return self.hidden.at(candidates)

    def _at(self, row: int, items: Ints) -> Floats:
        """(1, c) scores of (1, c) *items* by one question."""
        found: Floats = self.scores[row][self.sets.set_of[items]]
        if self.prior is not None:
            found += self.prior[items]
        found[items == PAD] = np.nan
        return found
