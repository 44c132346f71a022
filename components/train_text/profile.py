"""Counts what users of each trait meet, against what all users meet."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field
from scipy import sparse

from components.common import columns as c
from components.common.config import Config
from components.common.files import write_json
from components.common.prepared import Cut, Prepared
from components.train_text.holdout import has_clock, hold_out, is_gain, meetings
from serving.arrays import Floats
from serving.members.base import MEMBER_FILE
from serving.members.profile import ARRAYS, VOCABULARY_FILE, Profile, traits
from serving.queries import RECOMMEND, Queries

BANDS = 6  # of a numeric column: equally many users in each
JUDGES = 2_000


class ProfileConfig(Config):
    """Numbers of the profile member."""

    strength: float = Field(default=0.25, ge=0, description="of the lifts: traits of one user say much the same")
    shrink: float = Field(default=20.0, gt=0, description="users added to each item, who have the traits of all users")
    least_users: int = Field(default=5, ge=1, description="a trait of fewer users is left out")
    most_terms: int = Field(default=200, ge=1, description="the most frequent traits are kept")
    strengths: tuple[float, ...] = Field((0.1, 0.5, 1.0), description="what else is tried, on held-out events")


def bands(profiles: Sequence[str]) -> dict[str, list[float]]:
    """By numeric column with more distinct values than BANDS: where its bands end."""
    values: dict[str, list[object]] = {}
    for profile in profiles:
        for name, value in json.loads(profile).items():
            values.setdefault(str(name), []).append(value)
    return {name: _edges(found) for name, found in sorted(values.items()) if _is_measure(found)}


def _is_measure(values: Sequence[object]) -> bool:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return numbers and len(set(values)) > BANDS


def _edges(values: Sequence[object]) -> list[float]:
    numbers = np.array(values, dtype=np.float64)
    return [float(edge) for edge in np.unique(np.quantile(numbers, np.arange(1, BANDS) / BANDS))]


def train(profiles: Sequence[str], met: pd.DataFrame, n_items: int, config: ProfileConfig) -> Profile:
    """The member learned from who met what.

    lift of trait v for item j = log((users of v who met j + shrink · P(v)) / (users with a profile who met j +
    shrink) / P(v)), P(v) the share of users with a profile who have v.

    Args:
        profiles: JSON object by user code.
        met: user, item, weight: one row per user and item.
        n_items: size of the catalogue.
        config: how to count.
    """
    edges = bands(profiles)
    held = [traits(profile, edges) for profile in profiles]
    users = Counter(trait for row in held for trait in row)
    kept = sorted((trait for trait, n in users.items() if n >= config.least_users), key=lambda t: (-users[t], t))
    terms = sorted(kept[: config.most_terms])
    place = {term: row for row, term in enumerate(terms)}
    pairs = [(place[trait], user) for user, row in enumerate(held) for trait in row if trait in place]
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    has = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(terms), len(profiles)))
    weights = (met["weight"].to_numpy(), (met[c.USER].to_numpy(), met[c.ITEM].to_numpy()))
    weighed = sparse.csr_matrix(weights, shape=(len(profiles), n_items))
    popular = np.log1p(np.asarray(weighed.sum(axis=0), dtype=np.float64).ravel())
    return Profile(terms, edges, _lifts(has, weighed, config.shrink), popular.astype(np.float32), config.strength)


def _lifts(has: sparse.csr_matrix, weighed: sparse.csr_matrix, shrink: float) -> sparse.csr_matrix:
    """(terms, n_items) log lifts; only items that somebody with a profile met."""
    known = np.asarray(has.sum(axis=0)).ravel() > 0
    share = np.asarray(has.sum(axis=1)).ravel() / max(int(known.sum()), 1)
    total = np.asarray(weighed[known].sum(axis=0)).ravel()
    items = np.flatnonzero(total)
    found = (has @ weighed)[:, items].toarray()
    lifts = np.log((found + shrink * share[:, None]) / (total[items] + shrink) / share[:, None])
    indptr = np.arange(len(share) + 1, dtype=np.int64) * len(items)
    indices = np.tile(items.astype(np.int32), len(share))
    return sparse.csr_matrix((lifts.astype(np.float32).ravel(), indices, indptr), shape=(len(share), weighed.shape[1]))


def choose(shop: Prepared, cut: Cut, seed: int, config: ProfileConfig | None = None) -> ProfileConfig:
    """How far the lifts are trusted, by what ranks held-out training events of users with a profile best."""
    config = config or ProfileConfig()
    held = hold_out(shop, cut, seed, JUDGES)
    if held is None:
        return config
    profiles = shop.users[c.PROFILE].to_numpy()
    states = replace(held.states, profiles=tuple(profiles[held.users]))
    met = meetings(held.known, has_clock(shop))
    member = train(profiles.tolist(), met, len(shop.items), config)
    judged = np.isfinite(member.score_all(Queries(RECOMMEND, states))[:, :1]).ravel()

    def quality(strength: float) -> Floats:
        member.strength = strength
        return held.values(member.score_all(Queries(RECOMMEND, states)))[judged]

    best, value = config.strength, quality(config.strength)
    for strength in config.strengths if judged.any() else ():
        found = quality(strength)
        if is_gain(found - value):
            best, value = strength, found
    return config.model_copy(update={"strength": best})


def train_profile(shop: Prepared, cut: Cut, out: Path, config: ProfileConfig) -> None:
    """Write the member learned from *cut*'s training events into *out*; nothing where no profile says anything.

    Args:
        shop: the prepared shop; its users table has a profile per user, "{}" where nothing is known.
        cut: whose training events may be looked at.
        out: the member's folder.
        config: its numbers, see `choose`.
    """
    met = meetings(shop.train(cut), has_clock(shop))
    member = train(shop.users[c.PROFILE].tolist(), met, len(shop.items), config)
    if not len(member.terms) or not member.lifts.nnz:
        return
    out.mkdir(parents=True, exist_ok=True)
    lifts = (member.lifts.data, member.lifts.indices.astype(np.int32), member.lifts.indptr.astype(np.int64))
    for name, array in (dict(zip(ARRAYS, lifts, strict=True)) | {"prior": member.prior}).items():
        np.save(out / f"{name}.npy", array, allow_pickle=False)
    write_json(out / VOCABULARY_FILE, list(member.terms))
    write_json(out / MEMBER_FILE, {"kind": Profile.kind, "edges": member.edges, **config.model_dump(mode="json")})
