"""What members that add up rows of a sparse matrix say, without a score for every item."""

import numpy as np

from serving.arrays import PAD, Bools, Floats, Ints, top_k
from serving.arrays import at as taken
from serving.hidden import Hidden
from serving.opinion import Opinion, first_of

Touched = list[tuple[Ints, Floats]]


class Sums(Opinion):
    """The sums that histories lead to; all other items score 0, or are not scored."""

    def __init__(self, touched: Touched, known: Bools, rest: Ints | None, hidden: Hidden) -> None:
        """Keep what was summed.

        Args:
            touched: of each question the items that its history leads to, ascending, and their sums.
            known: (n_items,) False: never scored.
            rest: the known rows, ascending: they score 0 if a sum leads anywhere; None: where the sum is 0, no score.
            hidden: what must not be shown.
        """
        super().__init__()
        self.touched, self.known, self.rest, self.hidden = touched, known, rest, hidden

    def _best(self, k: int) -> Ints:
        k = min(k, len(self.known))
        columns, sums = self._table()
        kept = ~self.hidden.at(columns) & self.known[columns] & (sums != 0)
        sums = np.where(kept, sums, np.float32(np.nan))
        if self.rest is not None and np.count_nonzero(sums > 0, axis=1).min(initial=k) < k:
            return self._among_zeros(columns, sums, self.rest, k)
        places = top_k(sums, k)
        found = np.full((len(columns), k), PAD, dtype=np.int32)
        found[:, : places.shape[1]] = np.where(places == PAD, PAD, taken(columns, np.maximum(places, 0)))
        return found

    def at(self, candidates: Ints) -> Floats:
        """See the base."""
        found = np.zeros(candidates.shape, dtype=np.float32)
        for row, (columns, sums) in enumerate(self.touched):
            if not sums.any():
                found[row] = np.nan
                continue
            place = np.minimum(np.searchsorted(columns, candidates[row]), len(columns) - 1)
            np.copyto(found[row], sums[place], where=columns[place] == candidates[row])
        unscored = (candidates == PAD) | ~self.known[candidates]
        found[unscored if self.rest is not None else unscored | (found == 0)] = np.nan
        return found

    def hides(self, candidates: Ints) -> Bools:
        """See the base."""
        return self.hidden.at(candidates)

    def _table(self) -> tuple[Ints, Floats]:
        """(n, w) the items of every question, -1 after the last, and their sums."""
        width = max((len(columns) for columns, _ in self.touched), default=0)
        columns = np.full((len(self.touched), width), PAD, dtype=np.int32)
        sums = np.zeros(columns.shape, dtype=np.float32)
        for row, (own, values) in enumerate(self.touched):
            columns[row, : len(own)], sums[row, : len(own)] = own, values
        return columns, sums

    def _among_zeros(self, columns: Ints, sums: Floats, rest: Ints, k: int) -> Ints:
        """(n, k) the same where few sums are above 0: then come the lowest rows of 0, then sums below it."""
        zeros = first_of(rest, self.hidden, len(columns), k + columns.shape[1])
        found = np.full((len(columns), k), PAD, dtype=np.int32)
        for row, (order, (own, values)) in enumerate(zip(_descending(sums), self.touched, strict=True)):
            if values.any():
                above = int(np.count_nonzero(sums[row] > 0))
                ranked, free = columns[row, order], zeros[row][zeros[row] != PAD]
                free = free[~np.isin(free, own[values != 0])]
                best = np.concatenate([ranked[:above], free, ranked[above:]])[:k]
                found[row, : len(best)] = best
        return found


def _descending(sums: Floats) -> list[Ints]:
    """Places of each row's sums, the highest first, ties by the lower place; without NaN."""
    orders = np.argsort(-sums, axis=1, kind="stable")
    counts = np.count_nonzero(~np.isnan(sums), axis=1)
    return [order[:count].astype(np.int32) for order, count in zip(orders, counts, strict=True)]
