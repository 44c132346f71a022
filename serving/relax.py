"""What of a question is given up, step by step, when nothing fits it: no page stays empty for a filter too many.

In this order, the least first; what was given up stands in the answer as `relaxed`:

1. `unknown_words`: words of a query that no item holds, nor anything spelt like them, are passed over. Where all words
   are such, the catalogue's order by the remaining members, or its own, stands in for them.
2. the filters: one of `price`, `brand`, `category`, `available`, in this order; then two of them, three, all four.
3. the anchor itself (`query`, `item_id`, `item_ids`), where no member has anything to say of it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from components.common import columns as c
from serving.filters import allowed
from serving.instances import ANCHORS, Filters, Instance
from serving.queries import SEARCH

if TYPE_CHECKING:
    from serving.engine import Engine

ORDER = (c.PRICE, c.BRAND, c.CATEGORY, c.AVAILABLE)
UNKNOWN_WORDS = "unknown_words"
Answer = dict[str, Any]
Ask = Callable[[Sequence[Instance], bool], list[Answer]]


@dataclass(frozen=True)
class Step:
    """An easier question; *anything*: of what may be shown, all; given_up: names for `relaxed`."""

    instance: Instance
    anything: bool
    given_up: tuple[str, ...]


def relax(engine: "Engine", instances: Sequence[Instance], answers: list[Answer], ask: Ask) -> list[Answer]:
    """Every answer with `relaxed`, empty ones replaced by that to the first easier question which has items.

    Args:
        engine: knows the catalogue and its words.
        instances: what was asked.
        answers: what was found, one for each.
        ask: answers a batch; True: members need not find a thing for it to be shown.
    """
    unknown = [_unknown(engine, instance) for instance in instances]
    pending: dict[int, Iterator[Step]] = {}
    for row, answer in enumerate(answers):
        answer["relaxed"] = [UNKNOWN_WORDS] if unknown[row] else []
        if not answer["items"]:
            pending[row] = _steps(engine, instances[row], unknown[row] == 1)
    while pending:
        tried = {row: step for row, steps in pending.items() if (step := next(steps, None)) is not None}
        pending = {row: pending[row] for row in tried}
        for row, found in _asked(tried, ask):
            if found["items"]:
                del pending[row]
                first = answers[row]["relaxed"]
                answers[row] = found | {"relaxed": list(dict.fromkeys([*first, *tried[row].given_up]))}
    return answers


def _asked(tried: dict[int, Step], ask: Ask) -> Iterator[tuple[int, Answer]]:
    """The answers to one step of every row, in at most two batches."""
    for anything in (False, True):
        rows = [row for row, step in tried.items() if step.anything == anything]
        if rows:
            yield from zip(rows, ask([tried[row].instance for row in rows], anything), strict=True)


def _unknown(engine: "Engine", instance: Instance) -> float:
    """The share of its words that nobody knows; 0 where a photo asks alone."""
    if instance.scenario != SEARCH or not (instance.query or "").strip():
        return 0.0
    return max((member.passes_over(instance.query or "") for member in engine.members.values()), default=0.0)


def _steps(engine: "Engine", instance: Instance, mute: bool) -> Iterator[Step]:
    """Easier questions, the nearest first; those whose filters no item passes are left out.

    *mute*: no word of the query is known, so that nothing is left of it to be held to.
    """
    if mute:
        yield from _easier(engine, instance, True, with_all=True)
        return
    yield from _easier(engine, instance, False)
    anchor = [ANCHORS[instance.scenario]] if instance.scenario in ANCHORS else []
    for step in _easier(engine, instance, True, with_all=True):
        yield Step(step.instance, True, (*step.given_up, *anchor))


def _easier(engine: "Engine", instance: Instance, anything: bool, with_all: bool = False) -> Iterator[Step]:
    given = [name for name in ORDER if name in instance.filters]
    for many in range(0 if with_all else 1, len(given) + 1):
        for given_up in combinations(given, many):
            kept = {name: value for name, value in instance.filters.items() if name not in given_up}
            if allowed(engine.catalogue, kept).any():
                asked = instance.model_copy(update={"filters": Filters(**kept)})  # type: ignore[typeddict-item]
                yield Step(asked, anything, given_up)
