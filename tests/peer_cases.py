"""Small problems for peers, written as rows."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from benchmarks.quality.peers.problem import Problem, Visits

DAY = 86_400_000_000


def problem_of(
    rows: Sequence[tuple[int, int, int, int]],
    now: int,
    asked: Sequence[int] = (0,),
    seen: sparse.csr_matrix | None = None,
    n_items: int = 5,
    clock: str = "days",
) -> Problem:
    """A problem whose history is its training data.

    Args:
        rows: user, item, day, number of the user's visit.
        now: the day of the question.
        asked: users.
        seen: what to hide from them.
        n_items: size of the catalogue.
        clock: days or visits.
    """
    table = np.array(rows, dtype=np.int64)
    users, items, at, visit = (table[:, column] for column in range(4))
    visits = Visits(
        users.astype(np.int32), items.astype(np.int32), np.ones(len(rows), np.float32), at * DAY, visit.astype(np.int32)
    )
    return Problem(
        train=visits,
        history=visits,
        asked=np.array(asked, dtype=np.int64),
        seen=seen,
        as_of=now * DAY,
        clock=clock,
        n_users=int(users.max()) + 1,
        n_items=n_items,
        category=np.zeros(n_items, dtype=np.int32),
        task="next_basket" if seen is None else "discovery",
        seed=0,
    )
