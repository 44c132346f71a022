"""Does the release keep its promises to callers? Its own smoke requests, looked at closely."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

from components.common.files import read_json
from serving.engine import Engine
from serving.instances import Instance, parse_all
from serving.smoke import SMOKE_FILE

TOLERANCE = 1e-4


def contract_problems(engine: Engine, release: Path) -> list[str]:
    """Ask the release's smoke requests; what is wrong with the answers, in words (empty: nothing)."""
    smoke = read_json(release / SMOKE_FILE)
    if not smoke["instances"]:
        return ["the release can answer no scenario at all"]
    instances = parse_all(smoke["instances"])
    answers = engine.answer(instances, None, engine.as_of)
    triples = zip(instances, answers, smoke["answers"], strict=True)
    return [f"smoke request {n} ({one.scenario}) {what}" for n, (one, answer, size) in enumerate(triples)
            for what in _problems(one, answer, size)]  # fmt: skip


def _problems(instance: Instance, answer: dict[str, Any], size: int) -> list[str]:
    items = answer["items"]
    scores = [item["score"] for item in items]
    found = []
    if len(items) != size:
        found.append(f"gave {len(items)} items, {size} when it was packaged")
    if not all(math.isfinite(score) for score in scores):
        found.append("gave a score that is not a number")
    if any(later > earlier + TOLERANCE for earlier, later in pairwise(scores)):
        found.append("is not in the order of its scores")
    if len({item["item_id"] for item in items}) != len(items):
        found.append("gave one item twice")
    if instance.explain and any(_unexplained(item) for item in items):
        found.append("has an explanation that does not sum to the score")
    return found


def _unexplained(item: dict[str, Any]) -> bool:
    return not math.isclose(sum(item["why"].values()), item["score"], rel_tol=TOLERANCE, abs_tol=TOLERANCE)
