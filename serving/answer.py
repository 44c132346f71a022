"""From parsed requests to JSON answers: group by scenario, rank each group as one batch, explain."""

import logging
import uuid
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from components.common.moments import moment
from serving.ads import organic, with_ads
from serving.arrays import PAD, Bools
from serving.audience import with_users
from serving.breaker import SkippedError
from serving.campaigns import note_campaigns, offered
from serving.deadline import FEATURES, step
from serving.filters import allowed
from serving.instances import PHOTO, Instance, RequestError
from serving.pictures import BadMediaError
from serving.pool import Ranking
from serving.queries import ADS, BUNDLE, CAMPAIGN, RECOMMEND, SEARCH, SIMILAR, Queries
from serving.relax import relax
from serving.states import UserStates
from serving.unmet import both, unmet

if TYPE_CHECKING:
    from serving.engine import Engine
    from serving.features import StatePort

log = logging.getLogger(__name__)
STALE = "stale_features"
ENCODE, GATHER, BLEND, WHY = "encode", "gather", "blend", "why"  # steps of an answer, as its trace names them
PIECE_CELLS = 4_000_000  # scores of one member held at once, 16 MB: what a request may ask does not bound memory


def answer(
    engine: "Engine", instances: Sequence[Instance], port: "StatePort | None", as_of: int
) -> list[dict[str, Any]]:
    """Answer every instance, in order.

    Args:
        engine: a release's engine.
        instances: parsed requests; user ids are pseudonyms already.
        port: where user state comes from; None or a failure answers as for an anonymous user and says so.
        as_of: the moment of the question, microseconds since the epoch.
    """

    def ask(asked: Sequence[Instance], anything: bool = False) -> list[dict[str, Any]]:
        return _answers(engine, asked, port, as_of, anything)

    asked = [organic(instance) for instance in instances]
    answers = relax(engine, asked, ask(asked), ask)
    for row, instance in enumerate(instances):
        if instance.scenario == CAMPAIGN and instance.user_id is None:
            answers[row] = with_users(engine, instance, answers[row], port, as_of)
        elif instance.scenario == CAMPAIGN:
            note_campaigns(engine.campaigns, instance, answers[row], as_of, engine.catalogue.rows)
        if instance.scenario == ADS:
            states, _ = _users(engine, RECOMMEND, [instance], port, as_of)
            answers[row] = with_ads(engine, instance, answers[row], states, _allowed(engine, [instance]), as_of)
    return answers


def _answers(
    engine: "Engine", instances: Sequence[Instance], port: "StatePort | None", as_of: int, anything: bool
) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row, instance in enumerate(instances):
        groups[instance.scenario, engine.task(instance.scenario, instance.context.get("new_only"))].append(row)
    answers: list[dict[str, Any]] = [{}] * len(instances)
    size = max(1, PIECE_CELLS // max(len(engine.catalogue), 1))
    for (scenario, task), rows in groups.items():
        for start in range(0, len(rows), size):
            piece = rows[start : start + size]
            found = _group(engine, scenario, task, [instances[row] for row in piece], port, as_of, anything)
            for row, given in zip(piece, found, strict=True):
                answers[row] = given
    return answers


def _group(
    engine: "Engine",
    scenario: str,
    task: str,
    instances: list[Instance],
    port: "StatePort | None",
    as_of: int,
    anything: bool,
) -> list[dict[str, Any]]:
    states, degraded = _states(engine, scenario, instances, port, as_of)
    texts = tuple(instance.query or "" for instance in instances) if scenario == SEARCH else None
    with step(ENCODE):
        queries = engine.queries(RECOMMEND if scenario == CAMPAIGN else scenario, states, texts)
        queries = _with_photos(engine, queries, instances, degraded)
    new, lost = _new_to(engine, scenario, instances, port, as_of)
    offers, none = offered(engine.campaigns, instances, len(engine.catalogue), as_of)
    left = both(both(_allowed(engine, instances), new), offers)
    said, failed = engine.bearable_scores(queries, task, left, anything)
    degraded = [first + second + third + failed for first, second, third in zip(degraded, lost, none, strict=True)]
    blended = engine.blended(scenario, task)
    if not said:
        return [_envelope(engine, blended, [], as_of, reasons) for reasons in degraded]
    with step(GATHER):
        pool = engine.pool_of(queries, said, task, anything=anything)
    groups: dict[str, list[int]] = defaultdict(list)
    for row, instance in enumerate(instances):
        groups[repr(instance.weights)].append(row)
    answers: list[dict[str, Any]] = [{}] * len(instances)
    for rows in groups.values():
        weights = instances[rows[0]].weights or None
        most = max(instances[row].k for row in rows)
        with step(BLEND):
            ranking = engine.rank(pool, task, most, weights=weights, scenario=scenario)
        with step(WHY):
            for row in rows:
                answers[row] = _answer(engine, blended, instances[row], ranking, row, as_of, degraded[row])
    return answers


def _states(
    engine: "Engine", scenario: str, instances: list[Instance], port: "StatePort | None", as_of: int
) -> tuple[UserStates, list[list[str]]]:
    """Behaviour per instance, and per instance what it has to do without."""
    if scenario in (SIMILAR, BUNDLE):
        wanted = [([i.item_id] if i.item_id else []) if scenario == SIMILAR else list(i.item_ids) for i in instances]
        anchors = [[int(row) for row in engine.catalogue.index(ids) if row != PAD] for ids in wanted]
        lost = [len(found) < len(ids) for found, ids in zip(anchors, wanted, strict=True)]
        return UserStates.from_items(anchors, as_of), [["unknown_item"] if any_lost else [] for any_lost in lost]
    states, degraded = _users(engine, scenario, instances, port, as_of)
    viewed = [engine.catalogue.index(instance.context.get("viewed", [])) for instance in instances]
    weight = engine.shop.event_weights["view"]
    return states.viewing([[int(row) for row in rows if row != PAD] for rows in viewed], weight), degraded


def _users(
    engine: "Engine", scenario: str, instances: list[Instance], port: "StatePort | None", as_of: int
) -> tuple[UserStates, list[list[str]]]:
    """What the feature store says of the users, and per instance whether it could not be asked."""
    users = [instance.user_id or "" for instance in instances]
    if any(users) and engine.asks_of_users(scenario):
        try:
            if port is None:
                raise ConnectionError("no feature store is configured")
            states = port.states(users, as_of)
            stale = states.stale if states.stale is not None else np.zeros(len(users), dtype=bool)
            return states, [[STALE] if old else [] for old in stale]
        except SkippedError:
            return _nobody(engine, users, as_of), [[FEATURES] if user else [] for user in users]
        except Exception as error:
            log.error("user features could not be read (%s); answering as for anonymous users", type(error).__name__)
            return _nobody(engine, users, as_of), [[FEATURES] if user else [] for user in users]
    return _nobody(engine, users, as_of), [[] for _ in users]


def _nobody(engine: "Engine", users: list[str], as_of: int) -> UserStates:
    return UserStates.from_rows(users, [None] * len(users), np.full(len(users), as_of, np.int64), engine.catalogue)


def _new_to(
    engine: "Engine", scenario: str, instances: list[Instance], port: "StatePort | None", as_of: int
) -> tuple[Bools | None, list[list[str]]]:
    """See serving.unmet; in `recommend` and `campaign` new items are a task of their own, with a blend of its own."""
    if scenario in (RECOMMEND, CAMPAIGN):
        return None, [[] for _ in instances]
    return unmet(instances, len(engine.catalogue), lambda asking: _users(engine, RECOMMEND, asking, port, as_of))


def _with_photos(engine: "Engine", queries: Queries, instances: list[Instance], degraded: list[list[str]]) -> Queries:
    """The queries with the photos of their instances; where nothing can look at one, that is noted in *degraded*.

    Raises:
        RequestError: a photo is none, damaged or too large.
    """
    photos = [instance.photo for instance in instances]
    for reasons, photo in zip(degraded, photos, strict=True):
        if photo is not None and engine.image_encoder is None:
            reasons.append("image")
    try:
        return engine.with_photos(queries, photos)
    except BadMediaError as error:
        raise RequestError(f"'image_b64': {error}; {PHOTO}") from error


def _allowed(engine: "Engine", instances: list[Instance]) -> Bools | None:
    if not any(instance.filters for instance in instances):
        return None
    return np.stack([allowed(engine.catalogue, instance.filters) for instance in instances])


def _answer(
    engine: "Engine", task: str, instance: Instance, ranking: Ranking, row: int, as_of: int, degraded: list[str]
) -> dict[str, Any]:
    items, shown = [], min(instance.k, ranking.items.shape[1])
    rows, parts = ranking.items[row, :shown].tolist(), ranking.contributions[row, :shown].tolist()
    for place, (item, own) in enumerate(zip(rows, parts, strict=True)):
        if item == PAD:
            break
        why = dict(zip(ranking.members, own, strict=True))
        entry: dict[str, Any] = {
            "item_id": engine.catalogue.ids[item],
            "score": sum(why.values()),
            "position": place + 1,
        }
        if instance.explain:
            moved = ranking.moved(row, place)
            entry["why"] = {name: part for name, part in why.items() if part or name in moved}
        items.append(entry)
    return _envelope(engine, task, items, as_of, degraded)


def _envelope(
    engine: "Engine", task: str, items: list[dict[str, Any]], as_of: int, degraded: list[str]
) -> dict[str, Any]:
    return {
        "items": items,
        "method": engine.fusion.tasks[task].chosen if engine.fusion else None,
        "release": engine.digest,
        "as_of": moment(as_of).isoformat(),
        "degraded": [*engine.degraded, *degraded],
        "request_id": uuid.uuid4().hex,
    }
