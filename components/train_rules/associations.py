"""Association rules with their confidence: who takes this also takes that, as rules that people can read and mend."""

from typing import NamedTuple

import numpy as np
import yaml
from scipy import sparse

from components.common.config import Config
from components.common.ranking import Doubles
from serving.arrays import Longs
from serving.queries import BUNDLE
from serving.rules.schema import MAX_RULES

BLOCK = 1024
Z = 1.96  # of a two-sided 95% interval


class AssociationsConfig(Config):
    """What is worth a rule."""

    most: int = 50  # rules, at most
    least_support: int = 20  # baskets that hold both items
    least_lift: float = 2.0  # surely so many times as often as without the given item


class Association(NamedTuple):
    """Of *support* baskets that hold *given* and *then*; confidence: of those that hold *given*. Catalogue rows."""

    given: int
    then: int
    support: int
    confidence: float
    lift: float


def associations(baskets: sparse.csr_matrix, config: AssociationsConfig) -> list[Association]:
    """The surest rules between two items, the surest first.

    A rule is kept if the lower end of the 95% (Wilson) interval of its confidence is at least `least_lift` times the
    share of all baskets that hold the second item.

    Args:
        baskets: (n_baskets, n_items) of ones.
        config: what is worth a rule.
    """
    counts = np.asarray(baskets.sum(axis=0), dtype=np.float64).ravel()
    given, then, support = _pairs(baskets, counts, config.least_support)
    confidence, share = support / counts[given], counts[then] / max(baskets.shape[0], 1)
    surely = _lower(confidence, counts[given])
    kept = np.flatnonzero(surely >= config.least_lift * share)
    order = kept[np.lexsort((then[kept], given[kept], -surely[kept]))][: config.most]
    lift = confidence / share
    return [
        Association(int(given[n]), int(then[n]), int(support[n]), float(confidence[n]), float(lift[n])) for n in order
    ]


def as_rules(found: list[Association], ids: list[str], titles: list[str]) -> str:
    """The YAML that `cuvee serve --rules` reads: for each association a boost in bundles, with its titles above it."""
    lines = ["# Mined from the shop's baskets. `by` is the confidence; read them before you serve them.", "rules:"]
    for number, one in enumerate(found[:MAX_RULES], start=1):
        rule = {
            "name": f"mined-{number:03d}",
            "action": "boost",
            "by": round(one.confidence, 3),
            "given": [ids[one.given]],
            "items": f"item_id == {_quoted(ids[one.then])}",
            "tasks": [BUNDLE],
            "confidence": round(one.confidence, 3),
            "support": one.support,
        }
        told = _line(f"{titles[one.given]} -> {titles[one.then]}: lift {one.lift:.1f}")
        entry = yaml.safe_dump([rule], sort_keys=False, allow_unicode=True, width=110)
        lines += [f"  # {told}", *(f"  {line}" for line in entry.splitlines())]
    return "\n".join(lines) + "\n"


def _pairs(baskets: sparse.csr_matrix, counts: Doubles, least: int) -> tuple[Longs, Longs, Doubles]:
    """Both items and the number of baskets of every pair that at least *least* baskets hold; BLOCK items at a time."""
    often = np.flatnonzero(counts >= least)
    held = baskets[:, often].tocsr()
    by_item = held.T.tocsr()
    parts = [np.empty((3, 0))]
    for start in range(0, len(often), BLOCK):
        together = (by_item[start : start + BLOCK] @ held).tocoo()
        first = together.row + start
        kept = (first != together.col) & (together.data >= least)
        parts.append(np.stack([often[first[kept]], often[together.col[kept]], together.data[kept]]))
    given, then, support = np.concatenate(parts, axis=1)
    return given.astype(np.int64), then.astype(np.int64), support


def _lower(share: Doubles, of: Doubles) -> Doubles:
    """(n,) lower ends of the Wilson intervals of (n,) shares of (n,) trials."""
    middle = share + Z**2 / (2 * of)
    reach = Z * np.sqrt(share * (1 - share) / of + Z**2 / (4 * of**2))
    return np.asarray((middle - reach) / (1 + Z**2 / of))


def _line(text: str) -> str:
    """*text* on one line, of characters that YAML lets stand in a comment."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
