"""Candidates of a batch of queries with every member's scores, and their ranking."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from serving.arrays import PAD, Bools, Floats, Ints, top_k
from serving.blend import POPULARITY
from serving.evidence import Evidence


@dataclass(frozen=True)
class Pool:
    """n queries, at most c candidates each, K members.

    candidates: (n, c) catalogue rows, -1 is padding. scores: (n, c, K), NaN = not scored.
    channels: by member, (n, up to 100) its own best catalogue rows, best first.
    context: (n, c, len(CONTEXT)), see serving.context; None: nothing is known of the moment.
    """

    candidates: Ints
    scores: Floats
    members: tuple[str, ...]
    channels: dict[str, Ints]
    context: Floats | None = None

    @cached_property
    def valid(self) -> Bools:
        """(n, c) is this a candidate, not padding."""
        return np.asarray(self.candidates != PAD)

    @cached_property
    def evidence(self) -> Evidence:
        """What a blend sees of it."""
        if self.context is None:
            return Evidence.without_context(self.members, self.scores, self.valid)
        return Evidence(self.members, self.scores, self.valid, self.context)

    def best(self, totals: Floats, k: int) -> Ints:
        """(n, min(k, c)) places of the highest *totals* (n, c), best first, -1 after the last.

        Of equals the more popular comes first, then the lower catalogue row: for a user of whom nothing is known,
        all that the other members say is equal.
        """
        if POPULARITY not in self.members:
            return top_k(totals, k)
        popular = self.scores[:, :, self.members.index(POPULARITY)]
        order = np.lexsort((-popular, -totals), axis=1)[:, :k]
        low = np.isneginf(np.take_along_axis(totals, order, axis=1))
        return np.where(low, PAD, order).astype(np.int32)


@dataclass(frozen=True)
class Ranking:
    """items: (n, k) catalogue rows, best first, -1 after the last. scores: (n, k).

    contributions: (n, k, P), summing to the score; members: the P names they belong to, the last one is the context.
    """

    items: Ints
    scores: Floats
    contributions: Floats
    members: tuple[str, ...]


def union(channels: list[Ints]) -> Ints:
    """Distinct rows of all channels per query, ascending, padded with -1 to the longest."""
    merged = np.sort(np.concatenate(channels, axis=1), axis=1)
    repeated = np.zeros(merged.shape, dtype=bool)
    repeated[:, 1:] = merged[:, 1:] == merged[:, :-1]
    beyond = np.iinfo(np.int32).max
    merged[repeated | (merged == PAD)] = beyond
    merged.sort(axis=1)
    width = int((merged != beyond).sum(axis=1).max(initial=0))
    merged = merged[:, : max(width, 1)]
    merged[merged == beyond] = PAD
    return merged
