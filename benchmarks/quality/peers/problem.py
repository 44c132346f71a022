"""What a peer is given: who met what and when, whose lists are wanted, and what may not be in them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from components.common.moments import DAY
from components.common.ranking import Doubles
from components.evaluate.metrics import LONGEST, relevance_metrics
from serving.arrays import PAD, Floats, Ints, Longs, top_k

BATCH = 500
POPULARITY_DAYS = 28.0  # half-life of the popularity that fills a list where a peer has nothing to say
NDCG = "ndcg@10"

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Visits:
    """(m,) columns, one row per user, visit and item: codes, weight, at (µs) and number of the user's visit."""

    users: Ints
    items: Ints
    weight: Floats
    at: Longs
    visit: Ints

    @classmethod
    def of(cls, arrays: Arrays) -> "Visits":
        """The columns of a case's file."""
        return cls(*(arrays[name] for name in ("users", "items", "weight", "at", "visit")))


@dataclass(frozen=True)
class Problem:
    """Learn from `train`; list items for the users `asked` (n,), of whom `history` is known.

    seen: (n, n_items) what to hide, None where nothing is. as_of: µs. clock: what age is measured in, `days` or the
    user's `visits`. category: (n_items,) group of each item, -1 = none.
    """

    train: Visits
    history: Visits
    asked: Longs
    seen: sparse.csr_matrix | None
    as_of: int
    clock: str
    n_users: int
    n_items: int
    category: Ints
    task: str
    seed: int

    def __len__(self) -> int:
        return len(self.asked)

    def learned(self, half_life: float | None, counts: str) -> sparse.csr_matrix:
        """(n_users, n_items) interest to learn from; see `interest`."""
        return self.interest(self.train, half_life, counts)

    def asking(self, half_life: float | None, counts: str) -> sparse.csr_matrix:
        """(n, n_items) interest of the asked users; see `interest`."""
        return self.interest(self.history, half_life, counts)[self.asked]

    def interest(self, visits: Visits, half_life: float | None, counts: str) -> sparse.csr_matrix:
        """(n_users, n_items) of each user in each item.

        Args:
            visits: what it is computed from.
            half_life: an event counts half at this age (days or visits of the user); None: age does not matter.
            counts: repeated visits add up as they are (`linear`), as log(1 + sum) (`log`) or not at all (`once`).
        """
        weight = visits.weight.astype(np.float64) * self.decay(visits, half_life)
        shape = (self.n_users, self.n_items)
        if counts == "once":
            return latest(visits, weight, shape)
        total = sparse.csr_matrix((weight, (visits.users, visits.items)), shape=shape)
        total.data = np.log1p(total.data) if counts == "log" else total.data
        return total.astype(np.float32)

    def decay(self, visits: Visits, half_life: float | None) -> Doubles:
        """(m,) 0.5^(age / half_life) of every row."""
        if half_life is None:
            return np.ones(len(visits.at))
        if self.clock == "days":
            age = np.maximum(self.as_of - visits.at, 0) / DAY
        else:
            last = np.zeros(self.n_users, dtype=np.int64)
            np.maximum.at(last, visits.users, visits.visit)
            age = (last[visits.users] - visits.visit).astype(np.float64)
        decayed: Doubles = np.exp2(-age / half_life)
        return decayed

    @cached_property
    def popularity(self) -> Floats:
        """(n_items,) recent interest of all users, scaled into [0, 1)."""
        total = self.learned(POPULARITY_DAYS if self.clock == "days" else None, "log").sum(axis=0)
        values = np.asarray(total, dtype=np.float64).ravel()
        scaled: Floats = (values / (values.max(initial=0.0) + 1.0)).astype(np.float32)
        return scaled

    def take(self, rows: Longs) -> "Problem":
        """The same with only some of the asked users."""
        return replace(self, asked=self.asked[rows], seen=None if self.seen is None else self.seen[rows])


@dataclass(frozen=True)
class Labelled:
    """A problem whose answers are known. relevant: (n, n_items) 1 = came next."""

    problem: Problem
    relevant: sparse.csr_matrix

    def take(self, rows: Longs) -> "Labelled":
        """The same with only some of the asked users."""
        return Labelled(self.problem.take(rows), self.relevant[rows])

    def halves(self) -> tuple["Labelled", "Labelled"]:
        """Every other user: one half for a peer that learns from answers, one half to judge it by."""
        rows = np.arange(len(self.problem))
        return self.take(rows[::2]), self.take(rows[1::2])

    def ndcg(self, items: Ints) -> Doubles:
        """(n,) NDCG@10 of lists (n, m)."""
        hits = np.take_along_axis(self.relevant.toarray(), np.maximum(items, 0), axis=1) > 0
        return relevance_metrics(hits & (items != PAD), np.diff(self.relevant.indptr).astype(np.int64))[NDCG]


Scorer = Callable[[Longs], npt.NDArray[np.floating]]  # (b,) rows of `asked` -> (b, n_items), NaN = nothing to say


def latest(visits: Visits, weight: Doubles, shape: tuple[int, int]) -> sparse.csr_matrix:
    """The weight of each user's latest row with each item."""
    order = np.lexsort((visits.at, visits.items, visits.users))
    users, items, weight = visits.users[order], visits.items[order], weight[order]
    last = np.ones(len(users), dtype=bool)
    last[:-1] = (np.diff(users) != 0) | (np.diff(items) != 0)
    matrix = sparse.csr_matrix((weight[last], (users[last], items[last])), shape=shape)
    return matrix.astype(np.float32)


def lists(problem: Problem, score: Scorer) -> Ints:
    """(n, 20) catalogue rows: the best scored of what may be listed, then what sells where the peer has no score."""
    listed = np.full((len(problem), LONGEST), PAD, dtype=np.int32)
    for start in range(0, len(problem), BATCH):
        rows = np.arange(start, min(start + BATCH, len(problem)))
        scores = filled(np.asarray(score(rows), dtype=np.float32), problem.popularity)
        if problem.seen is not None:
            hidden = problem.seen[rows]
            scores[np.repeat(np.arange(len(rows)), np.diff(hidden.indptr)), hidden.indices] = -np.inf
        best = top_k(scores, LONGEST)
        listed[rows, : best.shape[1]] = best
    return listed


def filled(scores: Floats, popularity: Floats) -> Floats:
    """*scores* with NaN replaced by something below every scored item of the row, popular items first."""
    unknown = ~np.isfinite(scores)
    lowest = np.where(unknown, np.inf, scores).min(axis=1, initial=np.inf)
    highest = np.where(unknown, -np.inf, scores).max(axis=1, initial=-np.inf)
    some = np.isfinite(lowest)
    lowest, span = np.where(some, lowest, 0.0), np.where(some, highest - lowest, 0.0)
    step = np.maximum(span, 1.0)[:, None]
    floor = lowest[:, None] + step * (popularity[None, :] - 2.0)
    result: Floats = np.where(unknown, floor, scores).astype(np.float32)
    return result


def load_case(folder: Path) -> tuple[Problem, Labelled]:
    """The problem of a case and the hold-out inside its training data."""
    facts = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    train, history, asked, inner, items = (_arrays(folder, name) for name in FILES)
    common = {name: facts[name] for name in ("clock", "n_users", "n_items", "task", "seed")}
    common["category"] = items["category"]
    n_items = facts["n_items"]
    problem = Problem(
        Visits.of(train), Visits.of(history), asked["users"], _csr(asked, "seen", n_items), facts["as_of"], **common
    )
    learned = Visits.of(inner)
    held = Problem(learned, learned, inner["asked"], _csr(inner, "seen", n_items), facts["inner_as_of"], **common)
    relevant = _csr(inner, "relevant", n_items)
    if relevant is None:
        raise ValueError(f"{folder / 'inner.npz'}: found no relevant items, expected relevant_indptr and its indices.")
    return problem, Labelled(held, relevant)


FILES = ("train", "history", "asked", "inner", "items")


def _arrays(folder: Path, name: str) -> Arrays:
    with np.load(folder / f"{name}.npz", allow_pickle=False) as archive:
        return dict(archive)


def _csr(arrays: Arrays, name: str, n_items: int) -> sparse.csr_matrix | None:
    """(n, n_items) of ones, None where the file has none."""
    if f"{name}_indptr" not in arrays:
        return None
    indptr, indices = arrays[f"{name}_indptr"], arrays[f"{name}_indices"]
    return sparse.csr_matrix((np.ones(len(indices), np.float32), indices, indptr), shape=(len(indptr) - 1, n_items))
