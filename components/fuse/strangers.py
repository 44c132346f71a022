"""What serves a user of whom nothing is known: a blend learned of users whose history is hidden.

What most members say is personal, and what is learned of known users misleads where it is missing. What sells, what
rises and what the profile tells is left; how much of each, the purchases of the fit windows tell as well as a new
user's would.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from components.fuse.choice import PLENTY
from components.fuse.fit import fit_task
from components.fuse.lists import FitSet
from components.fuse.methods import SINGLE
from components.fuse.options import Options
from components.fuse.pools import Answers, fit_set
from serving.blend import Blend, TaskFusion
from serving.engine import Engine
from serving.states import UserStates

METHODS = ("softmax", "greedy")  # weights that are never negative, and few
MOST_USERS = PLENTY - 1  # so few that the steadiest of equals is taken


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
    chosen = fusion.methods[fusion.chosen]
    alike = [fit.of(chosen.members) for fit in sets if set(chosen.members) <= set(fit.members)]
    if not alike:
        return fusion, None
    wanted = replace(options, only=METHODS, absences=False)
    found, report = fit_task(alike, {}, wanted)
    blend = found.methods[found.chosen]
    methods = {**fusion.methods, fusion.chosen: chosen.model_copy(update={"strangers": plain(blend, "strangers")})}
    return TaskFusion(chosen=fusion.chosen, methods=methods), report


def plain(blend: Blend, whose: str) -> Blend:
    """*blend* named as that of *whose*, with nothing held back."""
    kind = blend.kind.removeprefix(SINGLE)
    return blend.model_copy(update={"kind": f"{whose}:{kind}", "reach": 0.0, "seats": 0, "host": ""})
