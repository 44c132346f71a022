"""Learns in closed form which attributes are met after which, so that items nobody met yet can be ranked too."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field
from scipy import sparse
from scipy.linalg.lapack import sposv

from components.common import columns as c
from components.common.config import Config, Effort
from components.common.files import write_json
from components.common.prepared import Cut, Prepared, visit_items
from components.train_text.attribute_terms import incidence, terms_of, weighted
from components.train_text.holdout import Holdout, has_clock, hold_out, is_gain, popularity
from components.train_text.pairs import NextVisits, next_visits
from serving.arrays import Floats
from serving.members.attributes import ARRAYS, Attributes
from serving.members.base import MEMBER_FILE

Doubles = npt.NDArray[np.float64]
BASKET = 1.5  # items a visit on average: above it a shop sells baskets
JUDGES = 2_000  # users of the hold-out: one item each says little
DENSE = 0.05  # share of cells above which a product of dense blocks is the faster one
BLOCK = 1_024
SCALE_ROWS = 300  # histories by which affinities are brought to a spread of one
UNMET = 0.1
PRIOR_WEIGHTS = (0.5, 1.0, 2.0, 4.0, 8.0)


class AttributesConfig(Config):
    """Numbers of the attribute member; the start fits ordered purchases of one item at a time."""

    half_life: float = Field(default=2.0, gt=0, description="visits after which a history's entry counts half")
    idf_power: float = Field(default=1.0, ge=0, description="how much more a rare attribute weighs")
    history_reg: float = Field(default=1.0, gt=0, description="ridge on the histories' side, of their mean variance")
    item_reg: float = Field(default=0.3, gt=0, description="ridge on the items' side, likewise")
    item_popularity_power: float = Field(default=0.5, ge=0, description="items weigh (1 + users)^this on their side")
    prior_weight: float = Field(default=2.0, ge=0, description="of log(1 + users), against affinities of spread one")
    count_power: float = Field(default=0.5, ge=0, description="how repeated visits add up in a history")
    least_items: int = Field(default=2, ge=1, description="an attribute of fewer items is left out")
    most_terms: int = Field(default=2_500, ge=1, description="the most frequent attributes are kept")
    most_visits: int = Field(default=100_000, ge=1, description="visits learned from, drawn if there are more")


BASKETS = {"half_life": 20.0, "idf_power": 0.0, "history_reg": 3.0, "prior_weight": 4.0, "most_visits": 10_000}


@dataclass(frozen=True)
class Material:
    """What there is to learn from.

    ones: (n_items, a) which item has which attribute. visits: rows of `visit_items`. popularity: (n_items,) users.
    """

    ones: sparse.csr_matrix
    visits: pd.DataFrame
    popularity: Floats

    def start(self) -> AttributesConfig:
        """Where a search begins: baskets need long histories, and all attributes alike."""
        moments = len(self.visits[[c.USER, c.VISIT]].drop_duplicates())
        baskets = len(self.visits) > BASKET * moments
        return AttributesConfig.parse(BASKETS, "attributes of baskets") if baskets else AttributesConfig()


def train(material: Material, config: AttributesConfig, seed: int) -> Attributes:
    """The member learned from *material*; a cosine where nobody has both a past and something new."""
    items = weighted(material.ones, config.idf_power)
    seen = next_visits(material.visits, items.shape[0], config.half_life, config.most_visits, seed)
    transitions: Doubles = np.eye(items.shape[1])
    if seen.found.nnz:
        crowd: Doubles = np.power(1.0 + material.popularity.astype(np.float64), config.item_popularity_power)
        transitions = fit(items, seen, crowd, config)
    scaled = (transitions / _spread(items, seen.histories, transitions)).astype(np.float32)
    prior = (wanted(material.popularity) * config.prior_weight).astype(np.float32)
    return Attributes(items, scaled, prior, config.half_life, config.count_power)


def wanted(popularity: Floats) -> Floats:
    """(n_items,) log(1 + users); an item nobody met may be new, so it counts like the least tenth of those met."""
    popular = np.log1p(popularity)
    met = popularity > 0
    if met.any():
        popular[~met] = np.quantile(popular[met], UNMET)
    return popular


def fit(items: sparse.csr_matrix, seen: NextVisits, crowd: Doubles, config: AttributesConfig) -> Doubles:
    """(a, a) W that brings X W B' nearest to what was met, X the histories' and B the items' attributes.

    W = (X'X + ridge)^-1 X'Y (B'CB + ridge)^-1, Y the attributes of what was met, C how much each item weighs.
    Both ridges are shares of the mean diagonal.
    """
    before, after = (seen.histories @ items).tocsr(), (seen.found @ items).tocsr()
    met = np.sqrt(np.asarray(seen.found.sum(axis=1)).ravel())
    gram = _product(sparse.diags(met) @ before, sparse.diags(met) @ before)
    cross = _product(before, after)
    shelf = _product(items, sparse.diags(crowd) @ items)
    return _solve(shelf, config.item_reg, _solve(gram, config.history_reg, cross).T).T


def _solve(gram: Doubles, reg: float, right: Doubles) -> Doubles:
    """By Cholesky, in single precision: the ridge keeps what is solved far from singular."""
    mean = max(float(np.trace(gram)) / len(gram), 1e-12)
    scaled = (gram / mean + reg * np.eye(len(gram))).astype(np.float32)
    _, solved, _ = sposv(scaled, (right / mean).astype(np.float32))
    return np.asarray(solved, dtype=np.float64)


def _product(left: sparse.csr_matrix, right: sparse.csr_matrix) -> Doubles:
    """(a, b) left' right; by dense blocks where the rows are full."""
    if left.nnz <= DENSE * left.shape[0] * left.shape[1]:
        return np.asarray((left.T @ right).toarray(), dtype=np.float64)
    total = np.zeros((left.shape[1], right.shape[1]))
    left, right = left.tocsr().astype(np.float32), right.tocsr().astype(np.float32)
    for begin in range(0, left.shape[0], BLOCK):
        total += left[begin : begin + BLOCK].toarray().T @ right[begin : begin + BLOCK].toarray()
    return total


def _spread(items: sparse.csr_matrix, histories: sparse.csr_matrix, transitions: Doubles) -> float:
    """Standard deviation of the affinities of some histories, or items where there are none, to all items."""
    source = histories @ items if histories.shape[0] else items
    rows = np.unique(np.linspace(0, max(source.shape[0] - 1, 0), SCALE_ROWS).astype(np.int64))
    wanted = np.asarray(source[rows] @ transitions)
    spread = float((items @ wanted.T).std()) if wanted.size else 0.0
    return spread if spread > 0 else 1.0


def choose(shop: Prepared, cut: Cut, effort: Effort, seed: int, ones: sparse.csr_matrix) -> AttributesConfig:
    """The numbers that rank a hold-out of *cut*'s training events best beyond chance, or where to start.

    *ones*: see `incidence_of`.
    """
    held = hold_out(shop, cut, seed, JUDGES)
    if held is None:
        return AttributesConfig()
    material = Material(ones, visit_items(held.known, shop.shop), held.popularity)
    best = material.start()
    best, value = _with_prior(held, material, best, seed)
    for change in _changes(best, effort):
        other, found = _with_prior(held, material, best.model_copy(update=change), seed)
        if is_gain(found - value):
            best, value = other, found
    return best


def _changes(start: AttributesConfig, effort: Effort) -> list[dict[str, Any]]:
    changes: list[dict[str, Any]] = [
        {"half_life": start.half_life * 3},
        {"idf_power": 1.0 - start.idf_power},
    ]
    further: list[dict[str, Any]] = [
        {"half_life": start.half_life / 2},
        {"history_reg": start.history_reg / 3},
        {"history_reg": start.history_reg * 3},
        {"item_reg": 1.0},
        {"item_reg": 0.1},
        {"item_popularity_power": 1.0},
    ]
    return changes + further if effort == "full" else changes


def _with_prior(
    held: Holdout, material: Material, config: AttributesConfig, seed: int
) -> tuple[AttributesConfig, Floats]:
    """*config* with the prior's weight that ranks the hold-out best, and what it reaches per user."""
    member = train(material, config, seed)
    affinity = member.affinity(held.states)
    popular = wanted(material.popularity)
    values = {weight: held.values((affinity + weight * popular).astype(np.float32)) for weight in PRIOR_WEIGHTS}
    best = max(values, key=lambda weight: float(np.nanmean(values[weight])))
    return config.model_copy(update={"prior_weight": best}), values[best]


def incidence_of(shop: Prepared, config: AttributesConfig) -> sparse.csr_matrix:
    """(n_items, a) which item has which attribute."""
    return incidence(terms_of(shop.items), config.least_items, config.most_terms)[1]


def train_attributes(
    shop: Prepared, cut: Cut, out: Path, config: AttributesConfig, seed: int, ones: sparse.csr_matrix | None = None
) -> None:
    """Write the member learned from *cut*'s training events into *out*; nothing where no item has an attribute.

    Args:
        shop: the prepared shop.
        cut: whose training events may be looked at.
        out: the member's folder.
        config: its numbers, see `choose`.
        seed: draws visits where there are too many.
        ones: what `incidence_of` finds, if that is known: it is the same for every cut.
    """
    ones = incidence_of(shop, config) if ones is None else ones
    if not ones.nnz:
        return
    events = shop.train(cut)
    popular = popularity(events, len(shop.items), has_clock(shop))
    member = train(Material(ones, visit_items(events, shop.shop), popular), config, seed)
    out.mkdir(parents=True, exist_ok=True)
    rows = (member.items.data, member.items.indices.astype(np.int32), member.items.indptr.astype(np.int64))
    arrays = dict(zip(ARRAYS, rows, strict=True)) | {"transitions": member.transitions, "prior": member.prior}
    for name, array in arrays.items():
        np.save(out / f"{name}.npy", array, allow_pickle=False)
    write_json(out / MEMBER_FILE, {"kind": Attributes.kind, **config.model_dump(mode="json")})
