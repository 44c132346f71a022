"""The squared losses of two models and of their blend.

The second source article defines the loss of the blend twice (its section 4.2): as the squared error of the blend and
as the mixture of the two models' losses. The two differ by the ambiguity of the models (see `ambiguity`).
"""

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]


def squared_loss(target: Doubles, predicted: Doubles) -> float:
    """L_DL or L_CF: the sum of (y - prediction)^2 over all (...) entries."""
    return float(np.sum((target - predicted) ** 2))


def mixed(deep: Doubles, cf: Doubles, alpha: float) -> Doubles:
    """The blend alpha * deep + (1 - alpha) * cf."""
    return alpha * deep + (1.0 - alpha) * cf


def fused_loss(target: Doubles, deep: Doubles, cf: Doubles, alpha: float) -> float:
    """L_fused as the squared error of the blend: the one to minimise."""
    return squared_loss(target, mixed(deep, cf, alpha))


def mixture_of_losses(target: Doubles, deep: Doubles, cf: Doubles, alpha: float) -> float:
    """alpha * L_DL + (1 - alpha) * L_CF: linear in alpha, so its minimum only ever selects one model."""
    return alpha * squared_loss(target, deep) + (1.0 - alpha) * squared_loss(target, cf)


def ambiguity(deep: Doubles, cf: Doubles, alpha: float) -> float:
    """alpha * (1 - alpha) * sum (deep - cf)^2: what the blend gains over the mixture of the losses."""
    return alpha * (1.0 - alpha) * squared_loss(deep, cf)
