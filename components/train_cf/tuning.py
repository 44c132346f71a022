"""A small seeded search over a member's numbers, on an inner hold-out of its own training events."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from scipy import sparse

from components.common import columns as c
from components.common.config import Config, Effort
from components.common.prepared import Cut, Prepared, visit_items
from components.common.ranking import ndcg_at
from components.train_cf.histories import now_of, window_of
from serving.arrays import Floats, top_k
from serving.members.base import Member
from serving.queries import RECOMMEND, Queries
from serving.states import UserStates

K, BATCH = 20, 500
USERS: Mapping[Effort, int] = {"fast": 5_000, "full": 10_000}  # one item each says little: many users
CAUTION = 1.0  # standard errors a change must gain: the best of many noisy trials is not the best
FEWEST_USERS = 100  # below this the choice would be noise: the defaults stand

ConfigT = TypeVar("ConfigT", bound=Config)


@dataclass(frozen=True)
class HoldOut:
    """What to learn from, and whose next items to find: never anything outside the cut's own training events.

    visits: rows of `visit_items`. as_of: µs. states: (n) sampled users. relevant: (n, n_items) 1 = came next, new.
    """

    visits: pd.DataFrame
    as_of: int
    states: UserStates
    relevant: sparse.csr_matrix

    @property
    def judges(self) -> bool:
        """Are there enough users to choose by."""
        return len(self.states) >= FEWEST_USERS

    def score(self, member: Member) -> Floats:
        """(n,) NDCG@20 of the items new to each sampled user."""
        parts = []
        for start in range(0, len(self.states), BATCH):
            rows = np.arange(start, min(start + BATCH, len(self.states)))
            states = self.states.take(rows)
            scores = member.score_all(Queries(RECOMMEND, states)).copy()
            scores[states.row_of, states.items] = np.nan
            parts.append(_ndcg(scores, self.relevant[rows]))
        return np.concatenate(parts)


def hold_out(prepared: Prepared, cut: Cut, effort: Effort, seed: int) -> HoldOut:
    """The last window of the training events (temporal), or the last event of some users (leave-one-out)."""
    visits = visit_items(prepared.train(cut), prepared.shop)
    now = now_of(prepared, cut)
    if cut.hold_out is None:
        as_of = now - window_of(prepared, cut)
        held = (visits["at"] >= as_of).to_numpy()
    else:
        as_of = now
        held = _last_of(visits, seed, USERS[effort])
    learned = visits[~held].reset_index(drop=True)
    target = visits.loc[held, [c.USER, c.ITEM]].drop_duplicates()
    users, relevant = _relevant(learned, target, len(prepared.items), seed, USERS[effort])
    return HoldOut(learned, as_of, UserStates.from_visits(learned, users, as_of), relevant)


def search(
    evaluate: Callable[[ConfigT], Floats], start: ConfigT, choices: Mapping[str, Sequence[Any]], trials: int
) -> ConfigT:
    """*start*, improved one field at a time in the order of *choices* while *trials* last.

    Args:
        evaluate: one value per user, higher is better, the same users each time; called at most *trials* times.
        start: where to begin; only what beats it by more than chance replaces it.
        choices: values to try per field.
        trials: how many configurations may be evaluated.
    """
    best, value = start, evaluate(start)
    tried = {start.model_dump_json()}
    before = None
    while before != best:
        before = best
        for name, option in ((name, option) for name, options in choices.items() for option in options):
            other = best.model_copy(update={name: option})
            if len(tried) == trials or other.model_dump_json() in tried:
                continue
            tried.add(other.model_dump_json())
            found = evaluate(other)
            if is_gain(found - value):
                best, value = other, found
    return best


def is_gain(differences: Floats) -> bool:
    """Is the mean of paired differences above 0 by more than CAUTION of its standard errors."""
    error = float(differences.std()) / max(len(differences), 1) ** 0.5
    return bool(float(differences.mean()) > CAUTION * error)


def _last_of(visits: pd.DataFrame, seed: int, n_users: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """The last visit of *n_users* drawn among those with at least two."""
    last = (visits[c.VISIT] == visits.groupby(c.USER)[c.VISIT].transform("max")).to_numpy()
    users = np.unique(visits.loc[~last, c.USER].to_numpy())
    drawn = np.random.default_rng(seed).permutation(users)[:n_users]
    chosen: np.ndarray[Any, np.dtype[np.bool_]] = last & np.isin(visits[c.USER].to_numpy(), drawn)
    return chosen


def _relevant(
    learned: pd.DataFrame, target: pd.DataFrame, n_items: int, seed: int, n_users: int
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], sparse.csr_matrix]:
    """Users with both a history and new items among *target*, at most *n_users*, and those items."""
    key = learned[c.USER].to_numpy(np.int64) * n_items + learned[c.ITEM].to_numpy()
    wanted = target[c.USER].to_numpy(np.int64) * n_items + target[c.ITEM].to_numpy()
    fresh = target[~np.isin(wanted, key)]
    users = np.intersect1d(fresh[c.USER].to_numpy(np.int64), learned[c.USER].to_numpy(np.int64))
    users = np.sort(np.random.default_rng(seed).permutation(users)[:n_users])
    fresh = fresh[fresh[c.USER].isin(users)]
    rows = np.searchsorted(users, fresh[c.USER].to_numpy())
    ones = np.ones(len(fresh), dtype=np.float32)
    return users, sparse.csr_matrix((ones, (rows, fresh[c.ITEM].to_numpy())), shape=(len(users), n_items))


def _ndcg(scores: Floats, relevant: sparse.csr_matrix) -> Floats:
    """(n,) NDCG@20 with binary relevance."""
    top = top_k(scores, K)
    gains = relevant[np.arange(len(top))[:, None], np.maximum(top, 0)].toarray() * (top >= 0)
    values: Floats = ndcg_at(gains, np.diff(relevant.indptr), K).astype(np.float32)
    return values
