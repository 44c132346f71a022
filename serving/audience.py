"""Which users a campaign is worth sending to: how likely each takes one of its items while it runs."""

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from components.common import columns as c
from serving.arrays import Bools, Floats
from serving.campaigns import NONE_RUNS, UNKNOWN
from serving.deadline import FEATURES as STORE
from serving.instances import Instance
from serving.part import Part
from serving.states import UserStates

if TYPE_CHECKING:
    from serving.engine import Engine
    from serving.features import StatePort

log = logging.getLogger(__name__)

Doubles = npt.NDArray[np.float64]
AUDIENCE_FILE = "audience.json"
RECENT_DAYS = 28.0  # after so long an item of the history counts half
FEATURES = ("taken", "recent", "share", "history", "idle")
NO_USERS = "no_users"


class AudienceModel(Part):
    """P(takes something) = sigmoid(intercept + weights x standardised features), learned by fuse."""

    means: tuple[float, ...] = Field(description="by feature")
    scales: tuple[float, ...] = Field(description="by feature, above 0")
    weights: tuple[float, ...]
    intercept: float
    features: tuple[str, ...] = FEATURES

    def chances(self, states: UserStates, items: Bools) -> Doubles:
        """(n,) of the users of *states*, for a campaign of the marked *items* (n_items,)."""
        standard = (features(states, items) - np.array(self.means)) / np.array(self.scales)
        return np.asarray(1 / (1 + np.exp(-(self.intercept + standard @ np.array(self.weights)))))


def features(states: UserStates, items: Bools) -> Doubles:
    """(n, len(FEATURES)) of n users, for a campaign of the marked *items* (n_items,).

    taken: log(1 + how often the user took one of them); recent: the same with the history fading; share of them in
    the history; history: log(1 + distinct items); idle: log(1 + days since the newest).
    """
    n, own = len(states), items[states.items]
    fading: Floats = np.exp2(-states.age_days / RECENT_DAYS)

    def total(values: npt.NDArray[np.floating[Any]]) -> Doubles:
        return np.bincount(states.row_of, values, minlength=n).astype(np.float64)

    idle = np.full(n, np.inf)
    np.minimum.at(idle, states.row_of, states.age_days)
    everything = total(states.counts)
    return np.stack(
        [
            np.log1p(total(states.counts * own)),
            np.log1p(total(states.counts * fading * own)),
            total(states.counts * own) / np.maximum(everything, 1e-9),
            np.log1p(states.sizes),
            np.log1p(np.where(np.isfinite(idle), idle, 365.0)),
        ],
        axis=1,
    )


def with_users(
    engine: "Engine", instance: Instance, answer: dict[str, Any], port: "StatePort | None", as_of: int
) -> dict[str, Any]:
    """*answer* with the users that the campaign names, the likeliest to take something first, in place of items.

    User ids are the pseudonyms of the release; the shop knows whose they are (`cuvee pseudonym`).
    """
    name = instance.campaign_id or ""
    offers = engine.campaigns.promotions
    items = np.zeros(len(engine.catalogue), dtype=bool)
    items[offers.loc[offers[c.CAMPAIGN_ID] == name, c.ITEM].to_numpy()] = True
    users = sorted(engine.campaigns.targets.get(name, ()))
    reasons = [reason for reason in answer["degraded"] if reason != NONE_RUNS]
    ranked: list[dict[str, Any]] = []
    if not items.any():
        reasons = [*dict.fromkeys([*reasons, UNKNOWN])]
    elif not users or engine.audience is None or port is None:
        reasons.append(NO_USERS)
    else:
        try:
            ranked = _ranked(engine.audience.chances(port.states(users, as_of), items), users, instance.k)
        except Exception as error:
            log.error("users of a campaign could not be read (%s)", type(error).__name__)
            reasons.append(STORE)
    return answer | {"items": [], "users": ranked, "method": "audience", "degraded": reasons}


def _ranked(chances: Doubles, users: list[str], k: int) -> list[dict[str, Any]]:
    best = np.argsort(-chances, kind="stable")[:k]
    return [
        {"user_id": users[row], "score": float(chances[row]), "position": place}
        for place, row in enumerate(best.tolist(), start=1)
    ]
