"""The lists that one task of one window gave: everything the bench says of quality is computed from these."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.ranking import Doubles
from components.evaluate.metrics import LONGEST, coverage, relevance_metrics
from components.evaluate.relevance import Relevance
from serving.arrays import Bools, Ints, Longs

CUTOFF = 10
NDCG, RECALL_10, HIT = "ndcg@10", "recall@10", "hit@10"
MEMBER, METHOD, FUSED, PEER = "member", "method", "fused", "peer"
SERVED, REFIT, WITHOUT = "served", "refit", "without"
PREFIX = "list:"

Texts = npt.NDArray[np.str_]


def named(*parts: str) -> str:
    """The name of a list: `member/als`, `served/als` (as served without it), `peer/implicit_als`, `fused`."""
    return "/".join(parts)


@dataclass(frozen=True)
class Lists:
    """n users of one window.

    users: (n,) pseudonyms. relevance: what they came to want. sizes: (n,) distinct items of their histories.
    met: (n_items,) users who had met each item before. named: by name, (n, 20) catalogue rows, -1 after the last.
    """

    users: Texts
    relevance: Relevance
    sizes: Longs
    met: Ints
    named: Mapping[str, Ints]

    def __len__(self) -> int:
        return len(self.users)

    def names(self, kind: str) -> tuple[str, ...]:
        """Names of all lists of a kind, without the kind."""
        return tuple(name.removeprefix(f"{kind}/") for name in self.named if name.startswith(f"{kind}/"))

    def values(self, name: str, metric: str = NDCG, items: Bools | None = None) -> Doubles:
        """(n,) one value per user, NaN where nothing is relevant; with *items* (n_items,) only those can be."""
        relevance = self.relevance if items is None else self.relevance.among(items)
        hits = relevance.holds(self.named[name])
        return relevance_metrics(hits, relevance.counts, (CUTOFF,))[metric]

    def coverage(self, name: str) -> float:
        """Share of the catalogue in anybody's first ten."""
        return coverage(self.named[name], self.relevance.n_items, CUTOFF)

    def take(self, rows: Longs) -> "Lists":
        """The users *rows*, ascending."""
        place = np.full(len(self), -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        asked = self.relevance
        kept = place[asked.rows] >= 0
        relevance = Relevance(asked.users[rows], place[asked.rows[kept]], asked.items[kept], asked.n_items)
        return Lists(
            self.users[rows], relevance, self.sizes[rows], self.met, {k: v[rows] for k, v in self.named.items()}
        )

    def plus(self, more: Mapping[str, Ints]) -> "Lists":
        """With more lists of the same users."""
        return Lists(self.users, self.relevance, self.sizes, self.met, {**self.named, **more})

    def save(self, path: Path) -> None:
        """Write as one .npz."""
        asked = self.relevance
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = {PREFIX + name: items for name, items in self.named.items()}
        np.savez(
            path, users=self.users, codes=asked.users, rows=asked.rows, items=asked.items,
            n_items=np.int64(asked.n_items), sizes=self.sizes, met=self.met, **arrays,
        )  # fmt: skip

    @classmethod
    def load(cls, path: Path) -> "Lists":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as read:
            relevance = Relevance(read["codes"], read["rows"], read["items"], int(read["n_items"]))
            lists = {name.removeprefix(PREFIX): read[name] for name in read.files if name.startswith(PREFIX)}
            return cls(read["users"], relevance, read["sizes"], read["met"], lists)


def of_codes(asked: Longs, codes: Longs, items: Ints) -> Ints:
    """(len(codes), 20) the lists *items* (n, m) of the users *asked* (n,) for *codes*; empty for those not asked."""
    wide = np.full((len(items) + 1, LONGEST), -1, dtype=np.int32)
    wide[:-1, : items.shape[1]] = items[:, :LONGEST]
    order = np.argsort(asked, kind="stable")
    place = np.minimum(np.searchsorted(asked[order], codes), max(len(asked) - 1, 0))
    found = asked[order][place] == codes if len(asked) else np.zeros(len(codes), bool)
    rows = np.where(found, order[place] if len(asked) else 0, len(items))
    return wide[rows]


def common(tables: Iterable[Lists], kind: str) -> list[str]:
    """Names of a kind that every window has, in the order of the first."""
    every = [table.names(kind) for table in tables]
    return [name for name in (every[0] if every else ()) if all(name in names for names in every)]
