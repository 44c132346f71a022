"""Candidates of a batch of queries with every member's scores, and their ranking."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from serving import kernels
from serving.arrays import PAD, Bools, Floats, Ints, Longs, at, top_k
from serving.breadth import POPULARITY
from serving.evidence import Evidence
from serving.states import UserStates
from serving.traces import Traces


@dataclass(frozen=True)
class Pool:
    """n queries, at most c candidates each, K members.

    candidates: (n, c) catalogue rows, -1 is padding. scores: (n, c, K), NaN = not scored.
    channels: by member, (n, up to 100) its own best catalogue rows, best first.
    context: (n, c, len(CONTEXT)), see serving.context; None: nothing is known of the moment. traces: what the users
    did last, beside the candidates. states: who asks, for the rules; beyond: the same pool with, after its candidates,
    those that only a pin can show; None: there are none.
    """

    candidates: Ints
    scores: Floats
    members: tuple[str, ...]
    channels: dict[str, Ints]
    context: Floats | None = None
    traces: Traces | None = None
    states: UserStates | None = None
    beyond: "Pool | None" = None

    def reaching(self, more: "Pool") -> "Pool":
        """This pool, and beyond its candidates those of *more*, a pool of the same queries and members."""
        candidates = np.concatenate([self.candidates, more.candidates], axis=1)
        scores = np.concatenate([self.scores, more.scores], axis=1)
        context = None
        if self.context is not None and more.context is not None:
            context = np.concatenate([self.context, more.context], axis=1)
        traces = None if self.traces is None else replace(self.traces, candidates=candidates)
        return replace(self, beyond=Pool(candidates, scores, self.members, {}, context, traces, self.states))

    @cached_property
    def valid(self) -> Bools:
        """(n, c) is this a candidate, not padding."""
        return np.asarray(self.candidates != PAD)

    @cached_property
    def evidence(self) -> Evidence:
        """What a blend sees of it."""
        if self.context is None:
            return Evidence.without_context(self.members, self.scores, self.valid)
        return Evidence(self.members, self.scores, self.valid, self.context, self.traces)

    def best(self, totals: Floats, k: int) -> Ints:
        """(n, min(k, c)) places of the highest *totals* (n, c), best first, -1 after the last; see `best_of`."""
        return self.best_of(totals, np.broadcast_to(np.arange(totals.shape[1]), totals.shape), k)

    def best_of(self, totals: Floats, places: Longs, k: int) -> Ints:
        """(n, min(k, w)) columns of the highest *totals* (n, w), of the candidates at *places* (n, w), best first.

        -1 after the last. Of equals the more popular comes first, then the lower catalogue row: for a user of whom
        nothing is known, all that the other members say is equal.
        """
        if POPULARITY not in self.members:
            return top_k(totals, k)
        popular = at(self.scores[:, :, self.members.index(POPULARITY)], places)
        order = np.lexsort((np.where(np.isnan(popular), np.inf, -popular), -totals), axis=1)[:, :k]
        hidden = np.isneginf(at(totals, order))
        return np.where(hidden, PAD, order).astype(np.int32)


@dataclass(frozen=True)
class Ranking:
    """items: (n, k) catalogue rows, best first, -1 after the last. scores: (n, k).

    contributions: (n, k, P), summing to the score; members: the P names they belong to: members, the context, rules.
    fired: (n, k, P) which rules put the item where it stands without changing its score; None: none did.
    """

    items: Ints
    scores: Floats
    contributions: Floats
    members: tuple[str, ...]
    fired: Bools | None = None

    def moved(self, row: int, place: int) -> set[str]:
        """Names of the rules that put the item at *place* of question *row* there."""
        if self.fired is None:
            return set()
        return {name for name, fired in zip(self.members, self.fired[row, place], strict=True) if fired}


def union(channels: list[Ints], n_items: int) -> Ints:
    """Distinct rows, below *n_items*, of all channels per query, ascending, padded with -1 to the longest."""
    if kernels.there:
        return kernels.joined(channels, n_items)
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
