"""What the members say of what was shown to users."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.common import columns as c
from components.common.impressions import AD, CLICKED, POSITION
from components.common.prepared import Prepared
from serving.arrays import Floats, Ints
from serving.engine import Engine
from serving.features import HistoricalStates
from serving.queries import RECOMMEND

USERS, BATCH = 6_000, 256  # at most; scored at once


class Shown(NamedTuple):
    """n impressions: each member's scores (n, K) of the item for the user, position, is it an ad, was it clicked."""

    scores: Floats
    position: Ints
    ad: npt.NDArray[np.bool_]
    clicked: npt.NDArray[np.bool_]


def scored(
    engine: Engine, shop: Prepared, shown: pd.DataFrame, states: Path, seed: int
) -> tuple[Shown, tuple[str, ...]]:
    """What each member says of the impressions of at most USERS users with states, and the members' names."""
    history = HistoricalStates.load(states, engine.catalogue)
    ids = shop.users[c.USER_ID].astype(str).to_numpy()
    users = np.intersect1d(shown[c.USER].unique(), np.flatnonzero(np.isin(ids, history.user_ids)))
    if len(users) > USERS:
        users = np.sort(np.random.default_rng(seed).choice(users, USERS, replace=False))
    shown = shown[shown[c.USER].isin(users)].sort_values([c.USER], kind="stable")
    names = tuple(name for name, member in engine.members.items() if RECOMMEND in member.scenarios)
    parts = [np.empty((0, len(names)), np.float32)]
    for start in range(0, len(users), BATCH):
        piece = users[start : start + BATCH]
        rows = shown[shown[c.USER].isin(piece)]
        queries = engine.queries(RECOMMEND, history.states(list(ids[piece])))
        place = np.searchsorted(piece, rows[c.USER].to_numpy())
        parts.append(
            np.stack(
                [engine.members[name].score_all(queries)[place, rows[c.ITEM].to_numpy()] for name in names], axis=1
            )
        )
    columns = (shown[name].to_numpy() for name in (POSITION, AD, CLICKED))
    return Shown(np.concatenate(parts), *columns), names


def joined(parts: Sequence[tuple[Shown, tuple[str, ...]]]) -> tuple[Shown | None, tuple[str, ...]]:
    """The impressions of several windows with the members of the newest; older windows that lack one are left out."""
    if not parts:
        return None, ()
    names = parts[-1][1]
    kept = [one for one, own in parts if own == names]
    columns = (np.concatenate([getattr(one, name) for one in kept]) for name in Shown._fields)
    return Shown(*columns), names
