"""Fit sets: what the engine recalls for users of a fit cut, and what they really took next."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import sparse

from components.common import columns as c
from components.common.moments import microseconds
from components.common.prepared import Cut, Prepared
from components.common.stage import progress
from components.fuse.lists import Contexts, FitSet
from serving.arrays import PAD, Longs, gather
from serving.context import ContextReader
from serving.engine import Engine
from serving.features import HistoricalStates
from serving.pool import Pool
from serving.queries import DISCOVERY, RECOMMEND
from serving.states import UserStates

BATCH = 256


@dataclass(frozen=True)
class Answers:
    """Users of a cut, what was known of them and what they took next.

    states: n users. taken: (n, n_items) 1 where the user took the item in the target period; at: (n, n_items) when
    first, µs. users: (n,) codes.
    """

    states: UserStates
    taken: sparse.csr_matrix
    at: sparse.csr_matrix
    users: Longs

    def of_task(self, task: str) -> "Answers":
        """Only what counts for the task: discovery forgets items the user had met; users left with nothing go."""
        taken = self.taken
        if task == DISCOVERY:
            met = self.states.matrix(np.ones(len(self.states.items), np.float32), taken.shape[1]).astype(bool)
            taken = sparse.csr_matrix(taken - taken.multiply(met))
            taken.eliminate_zeros()
        return Answers(self.states, taken, self.at, self.users).take(np.flatnonzero(np.diff(taken.indptr)))

    def take(self, rows: npt.NDArray[np.intp]) -> "Answers":
        """The users *rows*."""
        return Answers(self.states.take(rows.astype(np.int64)), self.taken[rows], self.at[rows], self.users[rows])

    def sample(self, most: int, seed: int) -> "Answers":
        """At most *most* users, a seeded choice."""
        if len(self.users) <= most:
            return self
        chosen = np.random.default_rng(seed).choice(len(self.users), size=most, replace=False)
        return self.take(np.sort(chosen))


def answers(prepared: Prepared, cut: Cut, states: Path, engine: Engine) -> Answers:
    """Read the point-in-time rows of *cut* (states/<cut>.parquet) and the targets of their users."""
    history = HistoricalStates.load(states, engine.catalogue)
    code = {str(user): row for row, user in enumerate(prepared.users[c.USER_ID])}
    users = np.array([code[user] for user in history.user_ids], dtype=np.int64)
    target = prepared.target(cut).sort_values(c.TIMESTAMP, kind="stable").drop_duplicates([c.USER, c.ITEM])
    shape = (len(prepared.users), len(engine.catalogue))
    pairs = target[c.USER].to_numpy(), target[c.ITEM].to_numpy()
    taken = sparse.csr_matrix((np.ones(len(target), dtype=np.float32), pairs), shape=shape)
    at = sparse.csr_matrix((microseconds(target[c.TIMESTAMP]), pairs), shape=shape)
    return Answers(history.states(history.user_ids), taken[users], at[users], users)


def fit_set(engine: Engine, asked: Answers, task: str) -> FitSet:
    """Pools of all users for *task*, labelled with what they took."""
    pools, labels = [], []
    for start in range(0, len(asked.users), BATCH):
        rows = np.arange(start, min(start + BATCH, len(asked.users)))
        piece = asked.take(rows)
        pool = engine.pool(engine.queries(RECOMMEND, piece.states), task)
        pools.append(pool)
        labels.append(np.nan_to_num(gather(piece.taken.toarray().astype(np.float32), pool.candidates)))
        progress("fuse", int(rows[-1]) + 1, len(asked.users))
    relevant = np.diff(asked.taken.indptr).astype(np.int64)
    return join(pools, labels, relevant, asked.users, Asked(engine.context, asked.states))


@dataclass(frozen=True)
class Asked:
    """Who asked, and the reader of their context."""

    reader: ContextReader
    states: UserStates


def held_set(
    engine: Engine, cut: Cut, scenario: str, given: Sequence[Sequence[int]], wanted: sparse.csr_matrix, users: Longs
) -> FitSet:
    """What *engine* recalls for n lists of items alone, whoever asks, labelled with what stood beside them.

    Args:
        engine: of the cut, so that members know nothing of its window.
        cut: when they are asked.
        scenario: what is asked.
        given: n lists of catalogue rows.
        wanted: (n, n_items) 1 for what is relevant.
        users: (n,) whose they are.
    """
    pools, labels = [], []
    for start in range(0, len(given), BATCH):
        states = UserStates.from_items([*given[start : start + BATCH]], cut.as_of or 0)
        pool = engine.pool(engine.queries(scenario, states), scenario)
        pools.append(pool)
        labels.append(np.nan_to_num(gather(wanted[start : start + BATCH].toarray(), pool.candidates)))
    return join(pools, labels, np.diff(wanted.indptr).astype(np.int64), users, None)


def enough(found: Iterable[FitSet | None], fewest: int) -> list[FitSet]:
    """The sets that there are; none where all of them together hold fewer lists than *fewest*."""
    sets = [fit for fit in found if fit is not None]
    return sets if sum(map(len, sets)) >= fewest else []


def answers_to(engine: Engine, scenario: str) -> bool:
    """Does any member of *engine* answer questions of *scenario*."""
    return any(scenario in member.scenarios for member in engine.members.values())


def join(
    pools: list[Pool], labels: list[npt.NDArray[np.float32]], n_relevant: Longs, groups: Longs, asked: Asked | None
) -> FitSet:
    """One fit set of several pools, padded to the widest; *asked* None: nothing is known of who asked."""
    width = max(pool.candidates.shape[1] for pool in pools)
    gaps = [width - pool.candidates.shape[1] for pool in pools]
    wide = [(pool, label, ((0, 0), (0, gap))) for pool, label, gap in zip(pools, labels, gaps, strict=True)]
    candidates = np.concatenate([np.pad(p.candidates, gap, constant_values=PAD) for p, _, gap in wide])
    return FitSet(
        members=pools[0].members,
        scores=np.concatenate([np.pad(p.scores, (*gap, (0, 0)), constant_values=np.nan) for p, _, gap in wide]),
        valid=candidates != PAD,
        labels=np.concatenate([np.pad(label, gap) for _, label, gap in wide]).astype(np.float32),
        n_relevant=n_relevant,
        groups=groups,
        contexts=None if asked is None else Contexts(asked.reader, asked.states, candidates),
    )
