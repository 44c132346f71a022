"""What was known of a user at any moment of the training events, in the form serving will see it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.moments import microseconds
from serving.arrays import PAD, Bools, Ints, Longs
from serving.members.sequence import visit_ages

NEVER = np.int32(np.iinfo(np.int32).max)


@dataclass(frozen=True)
class Entries:
    """One row per distinct (user, visit, item), sorted so; the visits around it tell when it counts.

    user, item, visit: (m,) int32. next_visit: (m,) the user's next visit with that item, NEVER if none. new: (m,)
    the user's first meeting with the item. target: (m,) at least one event of a kind that counts as success.
    wanted: (m,) the user has such an event with the item, at this visit or another: who looks first and buys later
    met the item when looking. others: (m, k) the visit holds an event of kind `kinds[k]` with the item, the kinds
    being those that do not count as success. starts: (n_users + 1,) where each user's entries begin.
    """

    user: Ints
    item: Ints
    visit: Ints
    next_visit: Ints
    new: Bools
    target: Bools
    wanted: Bools
    others: Bools
    starts: Longs
    kinds: tuple[str, ...] = ()

    @classmethod
    def from_events(cls, events: pd.DataFrame, target_events: tuple[str, ...], n_users: int) -> "Entries":
        """Fold *events* (user, item, visit, event) into entries."""
        keys = [c.USER, c.VISIT, c.ITEM]
        kinds = tuple(sorted(set(events[c.EVENT].unique()) - set(target_events)))
        marks = {"target": events[c.EVENT].isin(target_events).to_numpy()}
        marks |= {f"is {kind}": (events[c.EVENT] == kind).to_numpy() for kind in kinds}
        table: pd.DataFrame = events[keys].assign(**marks).groupby(keys, as_index=False, sort=True).any()
        user, visit, item = (table[key].to_numpy(dtype=np.int32) for key in keys)
        order = np.lexsort((visit, item, user))
        same = (np.diff(user[order]) == 0) & (np.diff(item[order]) == 0)
        next_visit = np.full(len(user), NEVER, dtype=np.int32)
        next_visit[order[:-1][same]] = visit[order[1:][same]]
        new = np.ones(len(user), dtype=bool)
        new[order[1:][same]] = False
        starts = np.searchsorted(user, np.arange(n_users + 1)).astype(np.int64)
        wanted = table.groupby([c.USER, c.ITEM])["target"].transform("any").to_numpy(dtype=bool)
        others = table[[f"is {kind}" for kind in kinds]].to_numpy(dtype=bool)
        return cls(
            user, item, visit, next_visit, new, table["target"].to_numpy(dtype=bool), wanted, others, starts, kinds
        )

    def __len__(self) -> int:
        return len(self.user)

    def before(self, borders: Ints) -> "Entries":
        """The entries of visits before each user's border (n_users,)."""
        return self._kept(self.visit < borders[self.user])

    def firsts(self) -> "Entries":
        """The first meetings alone."""
        return self._kept(self.new)

    def _kept(self, kept: Bools) -> "Entries":
        starts = np.concatenate([[0], np.cumsum(kept)])[self.starts].astype(np.int64)
        user, item, visit, later = (x[kept] for x in (self.user, self.item, self.visit, self.next_visit))
        new, target, wanted, others = (x[kept] for x in (self.new, self.target, self.wanted, self.others))
        return Entries(user, item, visit, later, new, target, wanted, others, starts, self.kinds)


@dataclass(frozen=True)
class Positions:
    """Moments to learn from: just before visit `visit` of user `user`.

    first: (p,) row of that visit's first entry; the targets of position i are targets[indptr[i]:indptr[i+1]],
    each wanted in one way: tasks, 0 = success, 1 + k = an event of the entries' `kinds[k]`.
    """

    user: Ints
    visit: Ints
    first: Longs
    indptr: Longs
    targets: Ints
    tasks: Ints

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: Longs) -> "Positions":
        """The positions *rows*, in that order."""
        sizes = np.diff(self.indptr)[rows]
        indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        entries = np.repeat(self.indptr[:-1][rows] - indptr[:-1], sizes) + np.arange(indptr[-1])
        return Positions(
            self.user[rows], self.visit[rows], self.first[rows], indptr, self.targets[entries], self.tasks[entries]
        )


def positions(entries: Entries, only_new: bool, borders: Ints) -> tuple[Positions, Positions]:
    """Every visit that has a target and a history before it, up to a border; and each user's border itself.

    Args:
        entries: the training entries.
        only_new: targets are items the user meets for the first time; success is to want them, then or later.
        borders: (n_users,) the visit from which on all that a user met is held out; NEVER holds out nothing.

    Returns:
        the positions before the borders, targets = what the visit holds; and one position a user at the border,
        targets = all that comes from there on.
    """
    head = np.ones(len(entries), dtype=bool)
    head[1:] = (np.diff(entries.user) != 0) | (np.diff(entries.visit) != 0)
    heads = np.flatnonzero(head)
    first = heads[np.cumsum(head) - 1]
    held = entries.visit >= borders[entries.user]
    at_border = np.full(len(borders), len(entries), dtype=np.int64)
    np.minimum.at(at_border, entries.user[held], first[held])
    first = np.where(held, at_border[entries.user], first)
    success = entries.new & entries.wanted if only_new else entries.target
    others = entries.others & entries.new[:, None] if only_new else entries.others
    goals = np.column_stack([success, others]) & (first > entries.starts[entries.user])[:, None]
    return _grouped(entries, first, goals & ~held[:, None]), _grouped(entries, first, goals[:, :1] & held[:, None])


def _grouped(entries: Entries, first: Longs, goals: Bools) -> Positions:
    rows, tasks = np.nonzero(goals)
    begin, counts = np.unique(first[rows], return_counts=True)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    of = entries.user[begin], entries.visit[begin], begin.astype(np.int64)
    return Positions(*of, indptr, entries.item[rows], tasks.astype(np.int32))


def borders(entries: Entries, events: pd.DataFrame, since: int | None, share: float, most: int, seed: int) -> Ints:
    """(n_users,) the visit at which each user's hold-out begins, NEVER for those that only train.

    Args:
        entries: the training entries, of *events*.
        events: user, visit, timestamp.
        since: µs; the hold-out of a chosen user is all from then on. None: the user's last visit.
        share: of the users with anything to hold out, at most.
        most: users, at most.
        seed: of the choice.
    """
    n_users = len(entries.starts) - 1
    late = events
    if since is not None:
        late = events[microseconds(events[c.TIMESTAMP]) >= since]
    of_user = late.groupby(c.USER)[c.VISIT].agg("max" if since is None else "min")
    able = of_user[of_user.to_numpy() > 0]
    chosen = np.random.default_rng(seed).permutation(len(able))[: min(most, int(share * len(able)))]
    result = np.full(n_users, NEVER, dtype=np.int32)
    result[able.index.to_numpy()[chosen]] = able.to_numpy()[chosen]
    return result


def states_before(entries: Entries, at: Positions, length: int) -> tuple[Ints, Ints]:
    """The states serving would hold at each position: distinct items by last visit, oldest to newest.

    Returns:
        items and ages, both (p, length) int32, right-aligned, -1 = padding; ages as `UserStates.age`.
    """
    items = np.full((len(at), length), PAD, dtype=np.int32)
    visits = np.full((len(at), length), PAD, dtype=np.int32)
    left, width = np.arange(len(at)), 2 * length
    while len(left):
        window, inside = _window(entries, at, left, width)
        valid = inside & (entries.next_visit[window] >= at.visit[left, None])
        reached = at.first[left] - width <= entries.starts[at.user[left]]
        done = reached | (valid.sum(axis=1) >= length)
        slot = length - np.cumsum(valid[:, ::-1], axis=1)[:, ::-1]
        row, column = np.nonzero(valid & (slot >= 0) & done[:, None])
        items[left[row], slot[row, column]] = entries.item[window[row, column]]
        visits[left[row], slot[row, column]] = entries.visit[window[row, column]]
        left, width = left[~done], 2 * width
    return items, visit_ages(visits)


def _window(entries: Entries, at: Positions, rows: Longs, width: int) -> tuple[Longs, Bools]:
    window = at.first[rows, None] - width + np.arange(width)
    inside = window >= entries.starts[at.user[rows], None]
    return np.maximum(window, 0), inside
