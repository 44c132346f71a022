"""Divide the events by time: windows for everybody, or each user's own last events."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.common import columns as c
from components.common.config import Effort
from components.common.errors import InputError
from components.common.moments import DAY
from components.common.prepared import Cut
from serving.arrays import Bools, Ints, Longs

WINDOW_DAYS, SHARE_OF_SPAN = 28.0, 13
FIT_WINDOWS: dict[Effort, int] = {"fast": 2, "full": 3}  # weights of one window alone follow its whims
ONLY_TRAINS = 3  # a user with fewer events than this has none to spare for fit and test
REPEAT_SHARE = 0.05


def window_length(first: int, last: int, window_days: float | None) -> int:
    """Length of one window in µs: as configured, else 28 days or a thirteenth of the span if that is shorter."""
    if window_days is not None:
        return int(window_days * DAY)
    return int(min(WINDOW_DAYS * DAY, (last + 1 - first) // SHARE_OF_SPAN))


def temporal_cuts(times: Longs, targets: Bools, effort: Effort, window_days: float | None) -> tuple[Cut, ...]:
    """Fit windows and the test window, oldest first; the test window ends with the last event.

    Args:
        times: (n,) µs of the events, n >= 1.
        targets: (n,) is the event of a kind that counts as success.
        effort: how many fit windows.
        window_days: length of a window, None for the default.

    Raises:
        InputError: the span is too short, or a window or what precedes all windows is empty.
    """
    first, until = int(times.min()), int(times.max()) + 1
    length = window_length(first, until - 1, window_days)
    windows = FIT_WINDOWS[effort]
    start = until - (windows + 1) * length
    if length < 1 or start <= first:
        raise InputError(
            f"events span {(until - first) / DAY:.2f} days; {windows + 1} windows of {length / DAY:.2f} days leave "
            "nothing to learn from. Give more events, a smaller window_days in shop.yaml, or --protocol leave-one-out."
        )
    cuts = []
    for back in range(windows, -1, -1):
        as_of = until - (back + 1) * length
        name = f"fit_{back}" if back else "test"
        cut = Cut(
            name=name,
            role="fit" if back else "test",
            members=name if back else "final",
            as_of=as_of,
            until=as_of + length,
        )
        if not (targets & (times >= as_of) & (times < as_of + length)).any():
            raise InputError(
                f"the window '{name}' ({_day(as_of)} to {_day(as_of + length)}) holds no target event. "
                "Give a larger window_days or other target_events in shop.yaml, or --protocol leave-one-out."
            )
        cuts.append(cut)
    return tuple(cuts)


def leave_one_out_cuts(from_end: Ints) -> tuple[Cut, ...]:
    """The one before last for the weights, the last for the test; one training on all before both.

    Raises:
        InputError: no user has three events.
    """
    if not (from_end == 0).any():
        raise InputError(
            f"no user has {ONLY_TRAINS} events or more: leave-one-out has nothing to hold out. "
            "Give more events or --protocol temporal."
        )
    return (
        Cut(name="fit", role="fit", members="all", hold_out=1),
        Cut(name="test", role="test", members="all", hold_out=0),
    )


def spread_ties(users: Ints, times: Longs) -> tuple[Longs, int]:
    """Make each user's times strictly increasing by the fewest microseconds.

    Args:
        users: (n,) sorted.
        times: (n,) µs, sorted within each user.

    Returns:
        (n,) times and how many were moved.
    """
    place = np.arange(len(times))
    level = pd.Series(times - place).groupby(users, sort=False).cummax().to_numpy()
    moved = level + place
    return moved, int((moved != times).sum())


def from_end(users: Ints) -> Ints:
    """(n,) place of each event from its user's end (*users* sorted); users with too few events start at 3."""
    if not len(users):
        return np.empty(0, np.int32)
    sizes = np.bincount(users)
    place = np.cumsum(sizes)[users] - 1 - np.arange(len(users))
    return np.asarray(place + np.where(sizes[users] < ONLY_TRAINS, ONLY_TRAINS, 0), dtype=np.int32)


def visits(users: Ints, times: Longs) -> Ints:
    """(n,) number of the user's distinct time, oldest 0; *users* sorted, *times* sorted within them."""
    if not len(users):
        return np.empty(0, np.int32)
    new_user = np.diff(users, prepend=users[0] - 1) != 0
    running = np.cumsum(new_user | (np.diff(times, prepend=times[0]) != 0))
    first = np.flatnonzero(new_user)
    return np.asarray(running - np.repeat(running[first], np.diff(first, append=len(users))), dtype=np.int32)


def repeat_share(events: pd.DataFrame) -> float:
    """Share of the (user, item) pairs of *events* that met at two distinct times or more."""
    pairs = events.drop_duplicates([c.USER, c.ITEM, c.TIMESTAMP]).groupby([c.USER, c.ITEM], sort=False).size()
    return float((pairs > 1).mean()) if len(pairs) else 0.0


def popular_enough(users: npt.NDArray[np.int32], items: npt.NDArray[np.int32], n_items: int, least: int) -> Bools:
    """(n_items,) has the item at least *least* distinct users among the pairs *users*, *items* (n,)."""
    pairs = np.unique(users.astype(np.int64) * n_items + items)
    return np.bincount(pairs % n_items, minlength=n_items) >= least


def _day(moment: int) -> str:
    return str(pd.Timestamp(moment, unit="us").strftime("%Y-%m-%d %H:%M"))
