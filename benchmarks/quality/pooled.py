"""Windows of one task taken together; what is said of them is drawn again by user, since one user meets several."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.quality.lists import FUSED, HIT, MEMBER, METHOD, NDCG, PEER, RECALL_10, Lists, common, named
from components.common.ranking import Doubles
from components.evaluate.bootstrap import RESAMPLES, paired
from components.evaluate.metrics import mean
from components.evaluate.summary import LIGHT
from serving.arrays import Bools

LARGE = 500  # a segment with more users than this must not be worse than the best member beyond noise
FEW_RESAMPLES = 500  # for what is shown beside, never judged: plain means, and methods that do not serve
POPULARITY = named(MEMBER, "popularity")
Numbers = dict[str, Any]


@dataclass(frozen=True)
class Pooled:
    """Windows of one task. seed: of every interval."""

    windows: tuple[Lists, ...]
    seed: int

    def names(self, kind: str) -> list[str]:
        """Full names of the lists of a kind that every window has."""
        return [named(kind, name) for name in common(self.windows, kind)]

    def joined(self, value: Callable[[Lists], Doubles]) -> Doubles:
        """(N,) one value per user and window."""
        return np.concatenate([value(window) for window in self.windows])

    def values(self, name: str, metric: str = NDCG) -> Doubles:
        """(N,) a list's metric of every user and window."""
        return self.joined(lambda window: window.values(name, metric))

    def of_new_items(self, name: str) -> Doubles:
        """(N,) NDCG@10 with only the items relevant that nobody had met; NaN for users who wanted none of these."""
        return self.joined(lambda window: window.values(name, NDCG, window.met == 0))

    def coverage(self, name: str) -> float:
        """Mean over the windows of the share of the catalogue that is shown."""
        return float(np.mean([window.coverage(name) for window in self.windows]))

    def gain(self, ours: Doubles, theirs: Doubles, resamples: int = RESAMPLES) -> Numbers | None:
        """Ours over theirs, (N,) each, users drawn again with all their windows; None where nobody has both.

        Returns:
            {"ours", "theirs": means, "difference": [value, low, high], "relative": the same or None, "pairs"}.
        """
        both = ~(np.isnan(ours) | np.isnan(theirs))
        if not both.any():
            return None
        users = np.concatenate([window.users for window in self.windows])[both]
        place, _ = pd.factorize(users)  # by appearance: no draw may depend on what pseudonyms a key gives
        per_user = int(place.max() + 1) / int(both.sum())  # a user's sum of windows, scaled so that means stay means
        sums = [np.asarray(np.bincount(place, side[both] * per_user), np.float64) for side in (ours, theirs)]
        found = paired(sums[0], sums[1], self.seed, resamples)
        if found is None:
            return None
        return {
            "ours": float(ours[both].mean()),
            "theirs": float(theirs[both].mean()),
            "difference": list(found.difference),
            "relative": list(found.relative) if found.relative else None,
            "pairs": int(both.sum()),
        }

    def rung(self, name: str) -> Numbers:
        """One row of the ladder: NDCG@10 with its interval, recall@10, hit@10, coverage@10."""
        values = self.values(name)
        spread = self.gain(values, np.zeros_like(values), FEW_RESAMPLES)
        return {
            NDCG: mean(values),
            "interval": spread["difference"][1:] if spread else None,
            RECALL_10: mean(self.values(name, RECALL_10)),
            HIT: mean(self.values(name, HIT)),
            "coverage@10": self.coverage(name),
        }


def ladder(pooled: Pooled) -> dict[str, Numbers]:
    """By full name: every member, method and peer and the blend as served."""
    kinds = [name for kind in (MEMBER, METHOD, PEER) for name in pooled.names(kind)]
    return {name: pooled.rung(name) for name in (*kinds, FUSED)}


def best(pooled: Pooled, kind: str) -> str | None:
    """The list of a kind with the highest NDCG@10 on these very windows; None where there is none."""
    return max(pooled.names(kind), key=lambda name: mean(pooled.values(name)) or 0.0, default=None)


def gains(pooled: Pooled) -> dict[str, Numbers | None]:
    """The blend as served over every member, method and peer."""
    fused = pooled.values(FUSED)
    return {
        name: pooled.gain(fused, pooled.values(name)) for kind in (MEMBER, METHOD, PEER) for name in pooled.names(kind)
    }


def oracle(pooled: Pooled, leader: str) -> Numbers:
    """What choosing the best member for each user would give, and how much of the way to it the blend goes."""
    every = np.stack([pooled.values(name) for name in pooled.names(MEMBER)])
    most, alone, fused = mean(every.max(axis=0)), mean(pooled.values(leader)), mean(pooled.values(FUSED))
    if most is None or alone is None or fused is None or most <= alone:
        return {NDCG: most, "gap_closed": None}
    return {NDCG: most, "gap_closed": (fused - alone) / (most - alone)}


def segments(pooled: Pooled, leader: str) -> dict[str, Numbers]:
    """The blend against the best member and popularity, by size of the history and for items nobody had met.

    `worse` marks a segment of more than 500 users where even the upper end of the interval is below zero.
    """
    found: dict[str, Numbers] = {}
    parts: dict[str, tuple[Callable[[str], Doubles], Bools]]
    parts = {name: (pooled.values, mask) for name, mask in _masks(pooled).items()}
    parts["new_items"] = (pooled.of_new_items, np.ones(sum(map(len, pooled.windows)), dtype=bool))
    for segment, (values, mask) in parts.items():
        fused = np.where(mask, values(FUSED), np.nan)
        against = {"best_member": leader, "popularity": POPULARITY}
        rows = {side: pooled.gain(fused, values(name)) for side, name in against.items() if _has(pooled, name)}
        one = rows.get("best_member")
        found[segment] = {
            **rows,
            "users": one["pairs"] if one else 0,
            "worse": bool(one and one["pairs"] > LARGE and one["difference"][2] < 0),
        }
    return found


def _masks(pooled: Pooled) -> dict[str, Bools]:
    """(N,) users without history, with up to 5 distinct items, in between, and the top quarter of each window."""
    sizes = np.concatenate([window.sizes for window in pooled.windows])
    limits = [max(float(np.quantile(one.sizes, 0.75)), LIGHT + 1.0) if len(one) else 0.0 for one in pooled.windows]
    many = np.repeat(limits, [len(window) for window in pooled.windows])
    light = (sizes > 0) & (sizes <= LIGHT)
    return {
        "cold": sizes == 0,
        "light": light,
        "medium": (sizes > LIGHT) & (sizes < many),
        "heavy": sizes >= many,
    }


def _has(pooled: Pooled, name: str) -> bool:
    return all(name in window.named for window in pooled.windows)
