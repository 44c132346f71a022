"""What a user will buy again: how often, how long ago, and whether the usual time between purchases has passed."""

from pathlib import Path
from typing import ClassVar

import numpy as np

from components.common.errors import ReleaseError
from components.common.moments import DAY
from serving.arrays import Floats, stored
from serving.catalogue import Catalogue
from serving.members.base import Family, Member
from serving.queries import RECOMMEND, SEARCH, Queries
from serving.states import UserStates

PRIOR = 1.0  # intervals of the item's usual length that a user's own interval starts from
FEATURES = (
    "log visits",
    "log days since the last",
    "visits x days since",
    "log visits of the user since",
    "due: log of days since over the usual interval",
    "due squared",
    "log purchases a day",
    "log usual interval of the item",
    "log-odds that the item is bought again",
    "log recent buyers of the item",
    "recent buyers x days since",
)
ARRAYS = ("interval", "again", "recent", "coefficients")


def features(states: UserStates, interval: Floats, again: Floats, recent: Floats) -> Floats:
    """(nnz, len(FEATURES)) of every entry of *states*.

    Args:
        states: the histories.
        interval: (n_items,) usual days between two meetings.
        again: (n_items,) log-odds that who met the item meets it again.
        recent: (n_items,) log of the decayed number of users who met it.
    """
    item = states.items
    since = states.age_days.astype(np.float64)
    span = (states.last_at - states.first_at) / DAY
    times = states.counts.astype(np.float64)
    own = (span + PRIOR * interval[item]) / (np.maximum(times - 1, 0) + PRIOR)
    due = np.log((since + 1) / (own + 1))
    log_times, log_since = np.log1p(times), np.log1p(since)
    columns = (
        log_times,
        log_since,
        log_times * log_since,
        np.log1p(states.age),
        due,
        due**2,
        np.log(times + 0.1) - np.log(span + since + interval[item] + 1),
        np.log1p(interval[item]),
        again[item],
        recent[item],
        recent[item] * log_since,
    )
    return np.stack(columns, axis=1).astype(np.float32)


class Repurchase(Member):
    """Log-odds that the user meets an item of the own history again soon; everything else is not scored."""

    kind: ClassVar[str] = "repurchase"
    family: ClassVar[Family] = "cf"
    scenarios: ClassVar[frozenset[str]] = frozenset({RECOMMEND})
    weighs: ClassVar[frozenset[str]] = frozenset({SEARCH})
    met_only = True

    def __init__(self, interval: Floats, again: Floats, recent: Floats, coefficients: Floats) -> None:
        """Take the item arrays of `features` and (1 + len(FEATURES),) coefficients, the constant first."""
        self.interval, self.again, self.recent, self.coefficients = interval, again, recent, coefficients

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> "Repurchase":
        """Read the arrays written by the trainer.

        Raises:
            ReleaseError: they do not fit the catalogue or this version's features.
        """
        arrays = [stored(folder / f"{name}.npy") for name in ARRAYS]
        found, expected = (len(arrays[0]), len(arrays[3])), (len(catalogue), 1 + len(FEATURES))
        if found != expected:
            raise ReleaseError(f"{folder}: (items, coefficients) {found} found, {expected} expected; train it again.")
        return cls(*arrays)

    def score_all(self, queries: Queries) -> Floats:
        """(n, n_items) log-odds; NaN for what is not in the user's history."""
        states = queries.states
        scores = np.full((len(states), len(self.interval)), np.nan, dtype=np.float32)
        table = features(states, self.interval, self.again, self.recent)
        scores[states.row_of, states.items] = self.coefficients[0] + (table * self.coefficients[1:]).sum(axis=1)
        return scores
