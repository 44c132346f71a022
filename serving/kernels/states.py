"""What users have met, beside their candidates; context.c, pool.c."""

from dataclasses import dataclass

import numpy as np

from serving.kernels.library import FLOAT, INT, Floats, Ints, Longs, done, expect, floats, ints, library, longs, of


@dataclass(frozen=True)
class Histories:
    """What users have met, oldest first; see serving.context. recent: how much an entry weighs by its age."""

    indptr: Longs
    items: Ints
    ages: Floats
    recent: Floats
    counts: Floats
    last: Longs
    first: Longs


def context(histories: Histories, codes: Ints, nameless: Ints, width: int, prices: Floats, candidates: Ints) -> Floats:
    """(n, c, 18) see serving.context.ContextReader.read."""
    n, c = candidates.shape
    expect(histories.indptr, (n + 1,))
    expect(codes, (len(prices), 4))
    out = np.empty((n, c, 18), dtype=np.float32)
    known = (histories.ages, histories.recent, histories.counts)
    done(
        library.context(
            longs(histories.indptr), ints(histories.items), *(floats(numbers) for numbers in known),
            longs(histories.last), longs(histories.first), n, ints(codes), ints(nameless), width,
            floats(prices), len(prices), ints(candidates), c, of(FLOAT, out, True),
        )
    )  # fmt: skip
    return out


def newest(indptr: Longs, items: Ints, ages: Floats, counts: Floats, width: int) -> tuple[Ints, Floats]:
    """Items (n, width) and marks (n, width, 2) of serving.traces.Traces.of."""
    n = len(indptr) - 1
    out, marks = np.empty((n, width), dtype=np.int32), np.empty((n, width, 2), dtype=np.float32)
    known = longs(indptr), ints(items), floats(ages), floats(counts)
    library.newest(*known, n, width, of(INT, out, True), of(FLOAT, marks, True))
    return out, marks
