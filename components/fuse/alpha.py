"""Two members, one weight: the closed form of min over alpha of sum (y - alpha d - (1 - alpha) c)^2."""

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]


def best_alpha(target: Doubles, deep: Doubles, cf: Doubles) -> float:
    """alpha* = sum (y - c)(d - c) / sum (d - c)^2, clipped to [0, 1]; 0.5 where the models agree everywhere.

    Args:
        target: (...) what is true, e.g. one-hot relevance.
        deep: (...) predictions of the deep model.
        cf: (...) predictions of collaborative filtering.
    """
    apart = deep - cf
    square = float(np.sum(apart**2))
    if square == 0.0:
        return 0.5
    return float(np.clip(np.sum((target - cf) * apart) / square, 0.0, 1.0))
