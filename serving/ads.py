"""Ads among organic results: predicted click times bid, a second price, a cap on how often, never against a rule."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from components.common import columns as c
from components.common.moments import DAY
from serving.arrays import Floats
from serving.campaigns import at
from serving.instances import MAX_K, Instance
from serving.opinion import Opinion
from serving.part import Part
from serving.queries import ADS, CAMPAIGN, RECOMMEND, SEARCH
from serving.states import UserStates

if TYPE_CHECKING:
    from serving.engine import Engine

Doubles = npt.NDArray[np.float64]
CLICKS_FILE = "clicks.json"
EVERY = 5  # organic results before each ad
RESERVE = 0.01  # the least that a click costs, in the shop's currency
CAP, USERS = 3, 100_000  # showings of one ad to one user a day; users that are remembered
FAR = 5.0  # standard deviations beyond which a score says no more


class ClickModel(Part):
    """P(click on an ad) = seen x sigmoid(intercept + sum of weights x standardised scores); learned by fuse."""

    members: tuple[str, ...] = Field(description="whose scores are read, in order")
    means: tuple[float, ...] = Field(description="by member")
    scales: tuple[float, ...] = Field(description="by member, above 0")
    weights: tuple[float, ...] = Field(description="by member: of the standardised score")
    missing: tuple[float, ...] = Field(description="by member: added where it does not score the item")
    intercept: float
    seen: float = Field(gt=0, description="how much more often an ad is looked at than the first organic position")

    def attraction(self, scores: Mapping[str, Floats]) -> Doubles:
        """P(click | looked at) from each member's scores of equal shapes; NaN and -inf: not scored."""
        total: Doubles = np.full(next(iter(scores.values())).shape, self.intercept, dtype=np.float64)
        numbers = zip(self.members, self.means, self.scales, self.weights, self.missing, strict=True)
        for name, mean, scale, weight, missing in numbers:
            own = scores.get(name)
            known = np.zeros(total.shape, dtype=bool) if own is None else np.isfinite(own)
            value = np.where(known, 0.0 if own is None else np.nan_to_num(own, neginf=0.0), mean)
            total += np.where(known, weight * np.clip((value - mean) / scale, -FAR, FAR), missing)
        return 1 / (1 + np.exp(-total))

    def clicks(self, scores: Mapping[str, Floats]) -> Doubles:
        """P(click) where an ad stands, at most 1."""
        return np.minimum(self.seen * self.attraction(scores), 1.0)


class Sold(NamedTuple):
    """An ad that is shown: its place among those that bid, and what a click costs."""

    place: int
    charge: float


def auction(click: Doubles, bids: Doubles, slots: int, reserve: float = RESERVE) -> list[Sold]:
    """The generalised second-price auction: *slots* ads of the highest click x bid, the best first.

    A click costs as little as would still have kept the place: the next one's click x bid over the own click, at least
    the reserve, never more than the bid. Of equals the earlier one wins. Bids below the reserve, and NaN, stay out.
    """
    worth = np.where((bids >= reserve) & (click > 0), click * bids, -np.inf)
    order = np.argsort(-worth, kind="stable")
    order = order[np.isfinite(worth[order])]
    following = [*worth[order], 0.0][1:]
    return [
        Sold(int(place), float(min(max(reserve, after / click[place]), bids[place])))
        for place, after in list(zip(order, following, strict=True))[:slots]
    ]


class Shown:
    """How often each user was shown each ad today, in this process; the users longest unseen are forgotten first."""

    def __init__(self, cap: int = CAP, users: int = USERS) -> None:
        self._cap, self._most = cap, users
        self._users: OrderedDict[str, tuple[int, dict[str, int]]] = OrderedDict()

    def full(self, user_id: str | None, ad: str, as_of: int) -> bool:
        """Has the user seen the ad as often today as it may be shown; nobody known: never."""
        day, counts = self._users.get(user_id or "", (-1, {}))
        return day == as_of // DAY and counts.get(ad, 0) >= self._cap

    def note(self, user_id: str | None, ad: str, as_of: int) -> None:
        """The ad is shown."""
        if user_id is None:
            return
        day, counts = self._users.pop(user_id, (-1, {}))
        counts = counts if day == as_of // DAY else {}
        self._users[user_id] = (as_of // DAY, counts | {ad: counts.get(ad, 0) + 1})
        while len(self._users) > self._most:
            self._users.popitem(last=False)


def organic(instance: Instance) -> Instance:
    """The question that an `ads` request asks of the shop itself, with items to spare for those that are bought."""
    if instance.scenario != ADS:
        return instance
    k = min(instance.k + instance.k // EVERY, MAX_K)
    return instance.model_copy(update={"scenario": SEARCH if instance.query else RECOMMEND, "k": k})


def with_ads(
    engine: "Engine", instance: Instance, answer: dict[str, Any], states: UserStates, allowed: Any, as_of: int
) -> dict[str, Any]:
    """The organic *answer* with one ad after every EVERY of its items, positions counted anew.

    Args:
        engine: knows the ads, their click model, and what was shown.
        instance: the request.
        answer: of the organic question.
        states: of its one user.
        allowed: (n_items,) what the request's filters leave; None: everything.
        as_of: the moment of the question.
    """
    running = at(engine.campaigns.ads, as_of)
    fresh = [not engine.shown.full(instance.user_id, name, as_of) for name in running[c.CAMPAIGN_ID]]
    running = running[np.array(fresh, dtype=bool)]
    slots = min(instance.k, len(answer["items"])) // EVERY
    if instance.query:
        running = running[running[c.ITEM].isin([engine.catalogue.rows[item["item_id"]] for item in answer["items"]])]
    if engine.click_model is None or not len(running) or not slots:
        return answer | {"items": answer["items"][: instance.k]}
    task = engine.task(CAMPAIGN, instance.context.get("new_only"))
    said, _ = engine.bearable_scores(engine.queries(RECOMMEND, states), task, allowed)
    bought = _bought(engine, engine.click_model, running, said, slots) if said else []
    for ad in bought:
        engine.shown.note(instance.user_id, ad["ad"]["campaign_id"], as_of)
    if not instance.explain:
        bought = [{name: value for name, value in ad.items() if name != "why"} for ad in bought]
    return answer | {"items": _between(answer["items"], bought, instance.k)}


def _bought(
    engine: "Engine", model: ClickModel, running: pd.DataFrame, said: Mapping[str, Opinion], slots: int
) -> list[dict[str, Any]]:
    """The ads that won, the best first, as entries of an answer."""
    items = running[c.ITEM].to_numpy()
    wanted = items[None].astype(np.int32)
    own = {name: opinion.at(wanted)[0] for name, opinion in said.items()}
    may_stand = ~np.logical_and.reduce([opinion.hides(wanted)[0] for opinion in said.values()])
    click = np.where(may_stand, model.clicks(own), 0.0)
    bids, names = running[c.BID].to_numpy(dtype=np.float64), running[c.CAMPAIGN_ID].to_numpy()
    entries: list[dict[str, Any]] = []
    taken: set[int] = set()
    for place, charge in auction(click, bids, len(items)):
        if items[place] in taken or len(entries) == slots:
            continue
        taken.add(items[place])
        worth = float(click[place] * bids[place])
        told = {"campaign_id": str(names[place]), "bid": float(bids[place]), "charge": round(charge, 4)}
        told["click"] = round(float(click[place]), 6)
        entries.append(
            {"item_id": engine.catalogue.ids[items[place]], "score": worth, "ad": told, "why": {"ad": worth}}
        )
    return entries


def _between(items: Sequence[dict[str, Any]], bought: Sequence[dict[str, Any]], k: int) -> list[dict[str, Any]]:
    """The organic items that are not bought, an ad after every EVERY of them, k in all."""
    paid = {ad["item_id"] for ad in bought}
    waiting, mixed, plain = list(bought), [], 0
    for item in items:
        if item["item_id"] in paid:
            continue
        mixed.append(item)
        plain += 1
        if plain % EVERY == 0 and waiting:
            mixed.append(waiting.pop(0))
    return [item | {"position": place} for place, item in enumerate(mixed[:k], start=1)]
