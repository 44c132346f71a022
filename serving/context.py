"""What a candidate is to this user at this moment, beside what the members say: the context of the blend.

Members are judged by how far they can be trusted here: for a user with a long history, for an item of a category the
user buys weekly, for one dearer than the user's habit. A blend that reads the context can weigh them accordingly.
"""

from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from components.common import columns as c
from components.common.moments import DAY
from serving.arrays import PAD, Floats, Ints
from serving.catalogue import Catalogue
from serving.states import UserStates
from serving.traces import Traces

LEVELS = {"top": 1, "mid": 2, "leaf": None}  # of the category path; None: all of it
CONTEXT = (
    *("history", "recency", "price", "price_gap"),
    *("share_top", "share_mid", "share_leaf", "share_brand"),
    *("recent_top", "recent_mid", "recent_leaf", "recent_brand"),
    *("count_leaf", "count_brand", "age_leaf"),
    *("met", "met_age", "met_due"),
)
NEVER = -1.0  # the age of what never happened
RECENT_DAYS, RECENT_VISITS = 28.0, 3.0  # an entry of the recent history weighs half as much after so long


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
    def _codes(self) -> dict[str, Ints]:
        paths = self.catalogue.items[c.CATEGORY].astype(str)
        parts = paths.str.split(" > ")
        named = {name: parts.str[:depth].str.join(" > ") for name, depth in LEVELS.items()}
        named["brand"] = self.catalogue.items[c.BRAND].astype(str)
        return {name: _factor(texts) for name, texts in named.items()}

    @cached_property
    def _groups(self) -> dict[str, sparse.csr_matrix]:
        return {name: _membership(codes) for name, codes in self._codes.items()}

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
        rows = np.maximum(candidates, 0)
        out = np.zeros((*candidates.shape, len(CONTEXT)), dtype=np.float32)
        for name, values in self._columns(states, rows).items():
            out[:, :, CONTEXT.index(name)] = values
        out[candidates == PAD] = 0.0
        return out

    def traces(self, states: UserStates, candidates: Ints) -> Traces | None:
        """The recent histories of *states* beside their (n, m) *candidates*; None without vectors."""
        if self.vectors is None:
            return None
        return Traces.of(self.vectors, states, self._ages(states), candidates)

    def _ages(self, states: UserStates) -> Floats:
        return states.age.astype(np.float32) if self.ordinal else states.age_days

    def _columns(self, states: UserStates, rows: Ints) -> dict[str, npt.NDArray[np.floating]]:
        ages = self._ages(states)
        recent = np.exp2(-ages / (RECENT_VISITS if self.ordinal else RECENT_DAYS)).astype(np.float32)
        sizes = states.sizes
        plain = states.matrix(np.ones(len(states.items), np.float32), len(self.catalogue))
        fading = states.matrix(recent, len(self.catalogue))
        price = self._prices[rows]
        usual = np.divide(plain @ self._prices, sizes, out=np.zeros(len(sizes), np.float32), where=sizes > 0)
        found = {
            "history": np.log1p(sizes)[:, None],
            "recency": _newest(states, ages)[:, None],
            "price": price,
            "price_gap": np.where(sizes[:, None] > 0, price - usual[:, None], 0),
        }
        for name in self._codes:
            found |= self._affinity(name, plain, fading, rows)
        found["age_leaf"] = self._age_of_leaf(states, ages, rows)
        return found | _met(states, ages, rows)

    def _affinity(
        self, name: str, plain: sparse.csr_matrix, fading: sparse.csr_matrix, rows: Ints
    ) -> dict[str, npt.NDArray[np.floating]]:
        codes = self._codes[name][rows]
        found: dict[str, npt.NDArray[np.floating]] = {}
        for kind, matrix in (("share", plain), ("recent", fading)):
            held = (matrix @ self._groups[name]).toarray()
            total = np.asarray(matrix.sum(axis=1)).ravel()[:, None]
            counts = np.where(codes >= 0, np.take_along_axis(held, np.maximum(codes, 0), axis=1), 0)
            found[f"{kind}_{name}"] = counts / np.maximum(total, 1e-6)
            if kind == "share" and f"count_{name}" in CONTEXT:
                found[f"count_{name}"] = np.log1p(counts)
        return found

    def _age_of_leaf(self, states: UserStates, ages: Floats, rows: Ints) -> Floats:
        codes = self._codes["leaf"]
        newest = np.full((len(states), self._groups["leaf"].shape[1]), NEVER, dtype=np.float32)
        own = codes[states.items]
        known = own >= 0
        newest[states.row_of[known], own[known]] = np.log1p(ages[known])  # oldest first: the newest stays
        wanted = codes[rows]
        return np.where(wanted >= 0, np.take_along_axis(newest, np.maximum(wanted, 0), axis=1), np.float32(NEVER))


def _factor(texts: "pd.Series[str]") -> Ints:
    """Numbers of distinct texts in order of appearance, -1 for the empty one."""
    return np.asarray(pd.factorize(texts.where(texts != ""))[0], dtype=np.int32)


def _membership(codes: Ints) -> sparse.csr_matrix:
    known = np.flatnonzero(codes >= 0)
    width = int(codes.max(initial=-1)) + 1
    ones = np.ones(len(known), dtype=np.float32)
    return sparse.csr_matrix((ones, (known, codes[known])), shape=(len(codes), max(width, 1)))


def _newest(states: UserStates, ages: Floats) -> Floats:
    """(n,) log(1 + age of the newest entry), -1 without any; entries are oldest first."""
    found = np.full(len(states), NEVER, dtype=np.float32)
    some = states.sizes > 0
    found[some] = np.log1p(ages[states.indptr[1:][some] - 1])
    return found


def _met(states: UserStates, ages: Floats, rows: Ints) -> dict[str, npt.NDArray[np.floating]]:
    """What the user has had to do with each candidate itself."""
    place = _entries_of(states, rows)
    met = place >= 0
    entry = np.maximum(place, 0)
    if not len(states.items):
        never = np.full(rows.shape, NEVER, dtype=np.float32)
        return {"met": np.zeros(rows.shape, np.float32), "met_age": never, "met_due": never}
    counts, age = states.counts[entry], ages[entry]
    between = (states.last_at - states.first_at)[entry] / DAY / np.maximum(counts - 1, 1)
    due = np.minimum(age / np.maximum(between, 1.0), 10.0)
    return {
        "met": np.where(met, np.log1p(counts), 0),
        "met_age": np.where(met, np.log1p(age), NEVER),
        "met_due": np.where(met & (counts > 1), due, NEVER),
    }


def _entries_of(states: UserStates, rows: Ints) -> npt.NDArray[np.int64]:
    """(n, m) place in the states' entries of each user's candidate, -1 where the user has not met it."""
    width = np.int64(max(int(rows.max(initial=0)), int(states.items.max(initial=0))) + 1)
    keys = states.row_of * width + states.items
    order = np.argsort(keys, kind="stable")
    wanted = np.arange(len(rows), dtype=np.int64)[:, None] * width + rows
    at = np.searchsorted(keys[order], wanted)
    inside = at < len(keys)
    place = order[np.minimum(at, len(keys) - 1)] if len(keys) else np.zeros(rows.shape, np.int64)
    return np.where(inside & (keys[place] == wanted) if len(keys) else False, place, PAD)
