"""What serves a user of whom nothing is known: a blend learned of users whose history is hidden.

What most members say is personal, and what is learned of known users misleads where it is missing. What sells, what
rises and what the profile tells is left; how much of each, the purchases of the fit windows tell as well as a new
user's would.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from components.fuse.fit import fit_task
from components.fuse.lists import FitSet
from components.fuse.methods import SINGLE
from components.fuse.options import Options
from components.fuse.pools import Answers, fit_set
from serving.blend import Blend, TaskFusion
from serving.engine import Engine
from serving.states import UserStates

METHODS = ("softmax", "greedy")  # weights that are never negative, and few
MOST_USERS = 4_000  # of all fit windows: one product each says little, and what is asked is little work


def hidden(states: UserStates) -> UserStates:
    """The same users with their profiles and without their histories."""
    none = np.zeros(0)
    return replace(
        states,
        indptr=np.zeros(len(states) + 1, dtype=np.int64),
        items=none.astype(np.int32),
        last_at=none.astype(np.int64),
        first_at=none.astype(np.int64),
        counts=none.astype(np.float32),
    )


def stranger_set(engine: Engine, asked: Answers, task: str, most: int, seed: int) -> FitSet | None:
    """What *engine* recalls for at most *most* users with hidden histories, and what they took next; None: nobody."""
    some = replace(asked, states=hidden(asked.states)).of_task(task).sample(most, seed)
    return fit_set(engine, some, task) if len(some.users) else None


def for_strangers(
    fusion: TaskFusion, sets: Sequence[FitSet], options: Options
) -> tuple[TaskFusion, Mapping[str, Any] | None]:
    """*fusion* whose chosen blend knows what to do for strangers, and the report of how it was learned.

    The best member alone stands unless a blend is better by more than chance, see `choose`. Without lists that know all
    members of the blend nothing changes.
    """
    alike = of_the_chosen(fusion, sets)
    if not alike:
        return fusion, None
    found, report = fit_task(alike, {}, few_methods(options))
    return with_chosen(fusion, strangers=plain(found.methods[found.chosen], "strangers")), report


def of_the_chosen(fusion: TaskFusion, sets: Sequence[FitSet]) -> list[FitSet]:
    """The *sets* that know all members of the chosen blend, with these alone."""
    members = fusion.methods[fusion.chosen].members
    return [fit.of(members) for fit in sets if set(members) <= set(fit.members)]


def few_methods(options: Options) -> Options:
    """How a blend is learned that stands beside the chosen one: the steadiest of equals."""
    return replace(options, only=METHODS, absences=False, plenty=math.inf)


def with_chosen(fusion: TaskFusion, **changes: Any) -> TaskFusion:
    """*fusion* whose chosen blend has these fields."""
    blend = fusion.methods[fusion.chosen].model_copy(update=changes)
    return TaskFusion(chosen=fusion.chosen, methods={**fusion.methods, fusion.chosen: blend})


def plain(blend: Blend, whose: str) -> Blend:
    """*blend* named as that of *whose*, with nothing held back."""
    kind = blend.kind.removeprefix(SINGLE)
    return blend.model_copy(update={"kind": f"{whose}:{kind}", "reach": 0.0, "seats": 0, "host": ""})
