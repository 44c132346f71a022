"""Voting: members have equal say and nothing is learned. Blends like any other."""

import numpy as np

from serving.blend import Blend, Weights
from serving.calibration import BORDA, FEATURES, RRF, VOTE


def reciprocal_rank(members: tuple[str, ...]) -> Blend:
    """Every member gives 61 / (60 + rank): reciprocal rank fusion."""
    return Blend(kind="voting", members=members, weights=_alike(len(members), {RRF: 1.0}))


def borda(members: tuple[str, ...]) -> Blend:
    """Every member gives the share of candidates it ranks no better than this one."""
    return Blend(kind="voting_borda", members=members, weights=_alike(len(members), {BORDA: 1.0}))


def majority(members: tuple[str, ...]) -> Blend:
    """Every member votes for its ten best; Borda counts decide among equals, and never outweigh one vote."""
    share = 0.5 / max(len(members), 1)
    return Blend(kind="voting_majority", members=members, weights=_alike(len(members), {VOTE: 1.0, BORDA: share}))


def _alike(count: int, row: dict[int, float]) -> Weights:
    table = np.zeros((count, len(FEATURES)))
    for feature, weight in row.items():
        table[:, feature] = weight / count
    return tuple(map(tuple, table.tolist()))
