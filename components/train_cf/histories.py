"""Training events as the user states that serving sees: what is learned is weighted as it will be asked."""

import numpy as np

from components.common.moments import DAY
from components.common.prepared import Cut, Prepared, visit_items
from serving.members.history import Clock
from serving.states import UserStates

WINDOW_DAYS = 28.0  # where neither the cut nor the shop says


def clock_of(prepared: Prepared) -> Clock:
    """Days where timestamps are times and cuts are too; else the user's own visits."""
    return "visits" if prepared.shop.ordinal_time or prepared.split.protocol == "leave-one-out" else "days"


def now_of(prepared: Prepared, cut: Cut) -> int:
    """The moment the members of *cut* are trained for, in µs."""
    return prepared.split.last_event if cut.as_of is None else cut.as_of


def window_of(prepared: Prepared, cut: Cut) -> int:
    """Length of what a cut asks for, in µs."""
    if cut.as_of is not None and cut.until is not None:
        return cut.until - cut.as_of
    return int((prepared.shop.window_days or WINDOW_DAYS) * DAY)


def training_states(prepared: Prepared, cut: Cut) -> UserStates:
    """States of every user, by code, from what the members of *cut* may learn from."""
    visits = visit_items(prepared.train(cut), prepared.shop)
    return UserStates.from_visits(visits, np.arange(len(prepared.users)), now_of(prepared, cut))
