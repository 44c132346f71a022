"""What a candidate is to this user at this moment, beside what the members say: the context of the blend.

Members are judged by how far they can be trusted here: for a user with a long history, for an item of a category the
user buys weekly, for one dearer than the user's habit. A blend that reads the context can weigh them accordingly.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.moments import DAY
from serving import kernels
from serving.arrays import PAD, Floats, Ints, Longs
from serving.catalogue import Catalogue
from serving.sparse import along
from serving.states import UserStates
from serving.traces import Traces

LEVELS = {"top": 1, "mid": 2, "leaf": None}  # of the category path; None: all of it
KINDS = (*LEVELS, "brand")
LEAF, BRAND = KINDS.index("leaf"), KINDS.index("brand")
CONTEXT = (
    *("history", "recency", "price", "price_gap"),
    *("share_top", "share_mid", "share_leaf", "share_brand"),
    *("recent_top", "recent_mid", "recent_leaf", "recent_brand"),
    *("count_leaf", "count_brand", "age_leaf"),
    *("met", "met_age", "met_due"),
)
OF_USER = 2  # the first ones are the same for all candidates of a user
PLACE = {name: place for place, name in enumerate(CONTEXT)}
SHARES, RECENT = (slice(PLACE[f"{name}_top"], PLACE[f"{name}_brand"] + 1) for name in ("share", "recent"))
NEVER = -1.0  # the age of what never happened
RECENT_DAYS, RECENT_VISITS = 28.0, 3.0  # an entry of the recent history weighs half as much after so long


@dataclass(frozen=True)
class _Kinds:
    """codes: (n_items, len(KINDS)) numbers of categories and brands, none in two columns; width: how many there are.

    nameless: (len(KINDS),) the number that stands for none in each column.
    """

    codes: Ints
    nameless: Ints
    width: int

    @classmethod
    def of(cls, items: pd.DataFrame) -> "_Kinds":
        parts = items[c.CATEGORY].astype(str).str.split(" > ")
        texts = [parts.str[:depth].str.join(" > ") for depth in LEVELS.values()]
        found = [_factor(column) for column in (*texts, items[c.BRAND].astype(str))]
        sizes = np.array([int(codes.max(initial=-1)) + 2 for codes in found])  # the last one is nameless
        starts = np.cumsum(sizes) - sizes
        columns = [
            np.where(codes < 0, size - 1, codes) + start
            for codes, size, start in zip(found, sizes, starts, strict=True)
        ]
        return cls(np.stack(columns, axis=1).astype(np.int32), (starts + sizes - 1).astype(np.int32), int(sizes.sum()))


class ContextReader:
    """Computes the context from a catalogue; what depends on items alone is computed once."""

    def __init__(self, catalogue: Catalogue, ordinal_time: bool, vectors: Floats | None = None) -> None:
        """Read from a catalogue.

        Args:
            catalogue: the items.
            ordinal_time: timestamps give order only, so that ages are visits, not days.
            vectors: (n_items, d) in which likeness of items is measured; None: it is not known.
        """
        self.catalogue, self.ordinal, self.vectors = catalogue, ordinal_time, vectors

    @cached_property
    def _kinds(self) -> _Kinds:
        return _Kinds.of(self.catalogue.items)

    @cached_property
    def _prices(self) -> Floats:
        return self.catalogue.items[c.PRICE_NORM].to_numpy(dtype=np.float32)

    def read(self, states: UserStates, candidates: Ints) -> Floats:
        """Context of every candidate.

        Args:
            states: n users.
            candidates: (n, m) catalogue rows, -1 is padding.

        Returns:
            (n, m, len(CONTEXT)) float32, 0 for padding. history: log(1 + distinct items). recency: log(1 + age of the
            newest entry). price: standardised log price; price_gap: minus the mean of the history. share_*: share of
            the history in the candidate's category (at three depths) or brand; recent_*: the same with the history
            fading. count_*: log(1 + items). age_leaf: log(1 + age of the newest entry in the category). met: log(1 +
            weighted visits with the item itself), met_age its age, met_due its age over its usual interval, at most
            10. Ages are in days, in visits where time is ordinal, -1 for never.
        """
        ages = self._ages(states)
        if kernels.there:
            entries = states.counts, states.last_at, states.first_at
            histories = kernels.Histories(states.indptr, states.items, ages, self._fading(ages), *entries)
            kinds = self._kinds
            return kernels.context(histories, kinds.codes, kinds.nameless, kinds.width, self._prices, candidates)
        rows = np.maximum(candidates, 0)
        out = np.empty((len(CONTEXT), *candidates.shape), dtype=np.float32)
        self._of_user(states, ages, rows, out)
        self._of_kinds(states, ages, rows, out)
        _met(states, ages, rows, out)
        out *= candidates != PAD
        return np.ascontiguousarray(out.transpose(1, 2, 0))

    def traces(self, states: UserStates, candidates: Ints) -> Traces | None:
        """The recent histories of *states* beside their (n, m) *candidates*; None without vectors."""
        if self.vectors is None:
            return None
        return Traces.of(self.vectors, states, self._ages(states), candidates)

    def _ages(self, states: UserStates) -> Floats:
        return states.age.astype(np.float32) if self.ordinal else states.age_days

    def _fading(self, ages: Floats) -> Floats:
        """(nnz,) how much an entry of the recent history weighs."""
        return np.asarray(np.exp2(-ages / (RECENT_VISITS if self.ordinal else RECENT_DAYS)), dtype=np.float32)

    def _of_user(self, states: UserStates, ages: Floats, rows: Ints, out: Floats) -> None:
        sizes = states.sizes
        price = np.take(self._prices, rows)
        spent = along(states.weighted(np.ones(len(states.items), np.float32)), self._prices)
        usual = np.divide(spent, sizes, out=np.zeros(len(sizes), np.float32), where=sizes > 0)
        out[PLACE["history"]] = np.log1p(sizes)[:, None]
        out[PLACE["recency"]] = _newest(states, ages)[:, None]
        out[PLACE["price"]] = price
        out[PLACE["price_gap"]] = (price - usual[:, None]) * (sizes > 0)[:, None]

    def _of_kinds(self, states: UserStates, ages: Floats, rows: Ints, out: Floats) -> None:
        """What the history holds of each candidate's categories and brand."""
        kinds, n = self._kinds, len(states)
        own = kinds.codes[states.items] + (states.row_of * kinds.width)[:, None]
        wanted = kinds.codes[rows].transpose(2, 0, 1) + (np.arange(n) * kinds.width)[:, None]
        recent = self._fading(ages)
        total = np.zeros(n, dtype=np.float32)
        some = np.flatnonzero(states.sizes)
        total[some] = np.add.reduceat(recent, states.indptr[some]) if len(some) else 0
        counts = self._held(own, np.float32(1), wanted, n)
        out[SHARES] = counts / np.maximum(states.sizes, 1e-6).astype(np.float32)[:, None]
        out[RECENT] = self._held(own, recent[:, None], wanted, n) / np.maximum(total, np.float32(1e-6))[:, None]
        np.log1p(counts[LEAF], out=out[PLACE["count_leaf"]])
        np.log1p(counts[BRAND], out=out[PLACE["count_brand"]])
        newest = np.full(n * kinds.width, NEVER, dtype=np.float32)
        newest[own[:, LEAF]] = np.log1p(ages)  # oldest first: the newest stays
        newest.reshape(n, -1)[:, kinds.nameless] = NEVER
        out[PLACE["age_leaf"]] = newest[wanted[LEAF]]

    def _held(self, own: Longs, weights: Floats | np.float32, wanted: Longs, n: int) -> Floats:
        """(len(KINDS), n, m) sums of *weights* over entries of the same kind as the candidate; 0 for the nameless."""
        sums = np.zeros(n * self._kinds.width, dtype=np.float32)
        np.add.at(sums, own, weights)
        sums.reshape(n, -1)[:, self._kinds.nameless] = 0
        return np.take(sums, wanted)


def _factor(texts: "pd.Series[str]") -> Ints:
    """Numbers of distinct texts in order of appearance, -1 for the empty one."""
    return np.asarray(pd.factorize(texts.where(texts != ""))[0], dtype=np.int32)


def _newest(states: UserStates, ages: Floats) -> Floats:
    """(n,) log(1 + age of the newest entry), -1 without any; entries are oldest first."""
    found = np.full(len(states), NEVER, dtype=np.float32)
    some = states.sizes > 0
    found[some] = np.log1p(ages[states.indptr[1:][some] - 1])
    return found


def _met(states: UserStates, ages: Floats, rows: Ints, out: Floats) -> None:
    """What the user has had to do with each candidate itself."""
    out[PLACE["met"]], out[PLACE["met_age"]], out[PLACE["met_due"]] = 0, NEVER, NEVER
    place = _entries_of(states, rows)
    met = np.nonzero(place >= 0)
    if not len(met[0]):
        return
    entry = place[met]
    counts, age = states.counts[entry], ages[entry]
    between = (states.last_at[entry] - states.first_at[entry]) / DAY / np.maximum(counts - 1, 1)
    due = np.minimum(age / np.maximum(between, 1.0), 10.0)
    out[PLACE["met"]][met] = np.log1p(counts)
    out[PLACE["met_age"]][met] = np.log1p(age)
    out[PLACE["met_due"]][met] = np.where(counts > 1, due, NEVER)


def _entries_of(states: UserStates, rows: Ints) -> Longs:
    """(n, m) place in the states' entries of each user's candidate, -1 where the user has not met it."""
    if not len(states.items):
        return np.full(rows.shape, PAD, dtype=np.int64)
    width = np.int64(max(int(rows.max(initial=0)), int(states.items.max())) + 1)
    keys = states.row_of * width + states.items
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    wanted = np.arange(len(rows), dtype=np.int64)[:, None] * width + rows
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, order[at], PAD)
