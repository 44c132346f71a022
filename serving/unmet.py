"""What a user has not met, for questions outside of `recommend` that ask for new items only."""

from collections.abc import Callable, Sequence

import numpy as np

from serving.arrays import Bools
from serving.instances import Instance
from serving.states import UserStates

Users = Callable[[list[Instance]], tuple[UserStates, list[list[str]]]]


def unmet(instances: Sequence[Instance], n_items: int, users: Users) -> tuple[Bools | None, list[list[str]]]:
    """Which items are new to the users of questions with `new_only`, and what each question has to do without.

    Args:
        instances: n questions.
        n_items: size of the catalogue.
        users: what is known of the users of such questions; asked only where somebody asks for new items.

    Returns:
        (n, n_items), all true for the other questions; None where nobody asks.
    """
    asking = [i if i.context.get("new_only") else i.model_copy(update={"user_id": None}) for i in instances]
    if not any(instance.user_id for instance in asking):
        return None, [[] for _ in instances]
    states, degraded = users(asking)
    new = np.ones((len(instances), n_items), dtype=bool)
    new[states.row_of, states.items] = False
    return new, degraded


def both(one: Bools | None, other: Bools | None) -> Bools | None:
    """Where both hold; None holds everywhere."""
    if one is None or other is None:
        return other if one is None else one
    return one & other
