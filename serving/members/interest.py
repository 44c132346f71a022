"""How much each item of a history says about what its user wants now."""

import numpy as np

from serving.arrays import Floats
from serving.states import UserStates


def interest_weights(states: UserStates, half_life: float, count_power: float) -> Floats:
    """Weights of the entries of *states*: counts damped by a power, halved every *half_life* visits.

    Returns:
        (nnz,) float32; each user's weights sum to 1.
    """
    raw = states.counts**count_power * np.exp2(-states.age / half_life)
    total = np.bincount(states.row_of, raw, minlength=len(states))
    return (raw / np.maximum(total, 1e-12)[states.row_of]).astype(np.float32)
