"""From lists to the numbers of metrics.json."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from components.common.ranking import Doubles
from components.evaluate.bootstrap import Paired, all_paired, paired
from components.evaluate.judge import Judged, Outcome
from components.evaluate.metrics import CUTOFFS, coverage, diversity, mean, novelty, relevance_metrics
from components.evaluate.relevance import Relevance
from serving.arrays import Bools, Ints, Longs

NDCG = "ndcg@10"
LIGHT = 5
Values = dict[str, float | None]


@dataclass(frozen=True)
class Shelf:
    """What metrics need to know of the catalogue.

    groups: (n_items,) category of every item, -1 = none. met: (n_items,) users who had met it before the test.
    n_users: how many users the shop knows.
    """

    groups: Ints
    met: Ints
    n_users: int


def user_values(judged: Judged, relevance: Relevance, shelf: Shelf) -> dict[str, Doubles]:
    """Every metric that each user has of their own: by name, (n,)."""
    values = relevance_metrics(relevance.holds(judged.items), relevance.counts)
    values["auc"] = judged.auc
    grouped = bool((shelf.groups >= 0).any())
    for k in CUTOFFS:
        apart = diversity(judged.items, shelf.groups, k)
        values[f"diversity@{k}"] = apart if grouped else np.full_like(apart, np.nan)
        values[f"novelty@{k}"] = novelty(judged.items, shelf.met, shelf.n_users, k)
    return values


def means(values: dict[str, Doubles], items: Ints, n_items: int, users: Bools | None = None) -> Values:
    """Means over the users marked in *users* (all), and the coverage of their lists; None without any user."""
    chosen = np.ones(len(items), dtype=bool) if users is None else users
    found: Values = {name: mean(one[chosen]) for name, one in values.items()}
    for k in CUTOFFS:
        found[f"coverage@{k}"] = coverage(items[chosen], n_items, k) if chosen.any() and n_items else None
    return found


@dataclass(frozen=True)
class Summary:
    """One task's numbers, and what comparisons need of them.

    methods: by name, over the users for whom every blend was ranked; ladder: how many those are, what the best member
    reaches for them, and each blend's relative gain over it on them. All else is over all users.
    """

    members: dict[str, Values]
    methods: dict[str, Values]
    ladder: dict[str, Any]
    fused: dict[str, Any]
    best: str
    ndcg: dict[str, Doubles]  # by member and "fused": (n,)
    against_best: Paired | None
    oracle: float | None

    @property
    def gain(self) -> dict[str, Any]:
        """Relative NDCG@10 gain over the best member with its 95% interval."""
        return {"over": self.best, **_gain(self.against_best)}

    def task(self) -> dict[str, Any]:
        """What metrics.json says of this task."""
        return {"members": self.members, "methods": self.methods, "fused": self.fused, "gain": self.gain}


def _gain(found: Paired | None) -> dict[str, Any]:
    relative = found.relative if found else None
    return {NDCG: relative.value if relative else None, "ci95": [relative.low, relative.high] if relative else None}


def summarise(outcome: Outcome, relevance: Relevance, shelf: Shelf, seed: int) -> Summary:
    """All means of one task; the best member is the one with the highest NDCG@10 on this very test."""
    n_items, ndcg = relevance.n_items, {}
    members: dict[str, Values] = {}
    for name, judged in outcome.members.items():
        values = user_values(judged, relevance, shelf)
        members[name], ndcg[name] = means(values, judged.items, n_items), values[NDCG]
    fused = user_values(outcome.fused, relevance, shelf)
    ndcg["fused"] = fused[NDCG]
    best = max(members, key=lambda name: members[name][NDCG] or 0.0)
    oracle = mean(np.max([ndcg[name] for name in members], axis=0))
    methods, ladder = _ladder(outcome, relevance.take(outcome.asked), shelf, ndcg[best][outcome.asked], seed)
    told = {**means(fused, outcome.fused.items, n_items), "method": outcome.chosen}
    return Summary(members, methods, ladder, told, best, ndcg, paired(ndcg["fused"], ndcg[best], seed), oracle)


def _ladder(
    outcome: Outcome, relevance: Relevance, shelf: Shelf, best: Doubles, seed: int
) -> tuple[dict[str, Values], dict[str, Any]]:
    """Every blend's means over the users asked, and its gain over *best* (m,), the best member's NDCG@10 of them."""
    methods, ndcg = {}, {}
    for name, judged in outcome.methods.items():
        values = user_values(judged, relevance, shelf)
        methods[name], ndcg[name] = means(values, judged.items, relevance.n_items), values[NDCG]
    against = all_paired(ndcg, best, seed)
    gains = {name: _gain(against.get(name)) for name in methods}
    return methods, {"users": len(relevance), "best_member": {NDCG: mean(best)}, "gains": gains}


def segments(
    outcome: Outcome, relevance: Relevance, shelf: Shelf, best: str, history_sizes: Longs
) -> dict[str, dict[str, Any]]:
    """Fused beside the best member for users with no, few and many items behind them, and for items never met.

    cold: no history. light: up to 5 distinct items. heavy: the top quarter of all users, and more than 5.
    new_items: all users, with only the items relevant that nobody had met before the test.

    Args:
        outcome: the task's lists.
        relevance: the task's relevance.
        shelf: the catalogue.
        best: the best member's name.
        history_sizes: (n,) distinct items of each user's history.
    """
    many = max(float(np.quantile(history_sizes, 0.75)), LIGHT + 1.0) if len(history_sizes) else 0.0
    users = {
        "cold": history_sizes == 0,
        "light": (history_sizes > 0) & (history_sizes <= LIGHT),
        "heavy": history_sizes >= many,
    }
    sides = {"fused": outcome.fused, "best_member": outcome.members[best]}
    found: dict[str, dict[str, Any]] = {name: {"users": int(chosen.sum())} for name, chosen in users.items()}
    new = relevance.among(shelf.met == 0)
    wanting = new.counts > 0
    found["new_items"] = {"users": int(wanting.sum())}
    for side, judged in sides.items():
        values = user_values(judged, relevance, shelf)
        for name, chosen in users.items():
            found[name][side] = means(values, judged.items, relevance.n_items, chosen)
        unseen = Judged(judged.items, np.full(len(judged.items), np.nan))  # the AUC asks about all relevant items
        found["new_items"][side] = means(user_values(unseen, new, shelf), judged.items, relevance.n_items, wanting)
    return found


def channels(outcome: Outcome) -> dict[str, dict[str, float | None]]:
    """Recall@100 of every channel."""
    return {name: {"recall@100": mean(values)} for name, values in outcome.channels.items()}
