"""A release's own questions: asked when it is packaged and again by whoever loads it, with the same answers.

They also warm what is loaded: no customer is the first to ask it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.common.errors import ReleaseError
from components.common.files import read_json
from serving.engine import Engine
from serving.instances import Instance, parse_all
from serving.queries import SEARCH

SMOKE_FILE = "smoke.json"
INSTANCES, SIZES, ITEMS = "instances", "answers", "items"
TOLERANCE = 0.01  # of an answer's largest score: processors add in other orders
LOOSE = frozenset({SEARCH})  # a text encoder in 8 bits differs between processors: half of the items, any score
FEW = 5  # an answer of as many items or more may hold one other: two that tie change places

Kept = list[tuple[str, float]]


def ask(engine: Engine, instances: Sequence[Instance]) -> list[Kept]:
    """The (item, score) pairs of every answer, asked one by one as customers do, at the release's own time.

    Raises:
        ReleaseError: an answer has to do without a part of the release.
    """
    answers = []
    for number, instance in enumerate(instances):
        answer = engine.answer([instance], None, engine.as_of)[0]
        if answer["degraded"]:
            lacks = ", ".join(answer["degraded"])
            raise ReleaseError(f"release: smoke request {number} is answered without {lacks}. Package it again.")
        answers.append([(str(item["item_id"]), float(f"{item['score']:.5g}")) for item in answer["items"]])
    return answers


def try_out(engine: Engine, release: Path) -> None:
    """Ask the questions of *release*.

    Raises:
        ReleaseError: an answer is not the one it gave when it was packaged.
    """
    smoke: dict[str, Any] = read_json(release / SMOKE_FILE)
    instances = parse_all(smoke[INSTANCES])
    answers = ask(engine, instances)
    sizes = [len(answer) for answer in answers]
    if sizes != smoke[SIZES]:
        raise ReleaseError(f"{release}: its smoke requests gave {sizes} items, expected {smoke[SIZES]}.")
    expected = smoke.get(ITEMS, answers)  # a release of before they were kept
    for number, (instance, answer, then) in enumerate(zip(instances, answers, expected, strict=True)):
        if not alike(answer, then, loose=instance.scenario in LOOSE):
            raise ReleaseError(
                f"{release}: smoke request {number} ({instance.scenario}) is answered otherwise than when it was "
                "packaged. Package it again, with the version of Cuvee that serves it."
            )


def alike(answer: Kept, expected: Kept, loose: bool = False) -> bool:
    """Does *answer* hold what was *expected*: all but one of the items, at their scores; *loose*: half of the items."""
    scores = dict(expected)
    if loose:
        return 2 * sum(item in scores for item, _ in answer) >= len(expected)
    slack = TOLERANCE * max((abs(score) for score in scores.values()), default=0.0)
    found = sum(item in scores and abs(scores[item] - score) <= slack for item, score in answer)
    return found >= len(expected) - (len(expected) >= FEW)
