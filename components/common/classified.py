"""What a classifier got right: counts of both sides and the curve over every threshold, as Kubeflow's UI draws them."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

POINTS = 50  # of a curve, at most


class Classified(NamedTuple):
    """categories: negative, positive. confusion: rows are what was true, columns what was said. roc: false positive
    rates, true positive rates, and the thresholds from which on they hold, ascending rates."""  # fmt: skip

    categories: tuple[str, str]
    confusion: list[list[int]]
    roc: list[list[float]]

    def log(self, artifact: Any) -> None:
        """Fill a kfp ClassificationMetrics artifact."""
        artifact.log_confusion_matrix(list(self.categories), self.confusion)
        artifact.log_roc_curve(*self.roc)


def classified(
    said: npt.NDArray[np.floating], positive: npt.NDArray[np.bool_], least: float, categories: tuple[str, str]
) -> Classified:
    """Hold *said* (n,), higher is surer, 0 to 1, against what was true (n,) bool; both sides have to occur.

    What is above *least* counts as said to be positive. NaN is said to be negative, and below every threshold but 0.
    """
    sure = np.nan_to_num(np.asarray(said, dtype=np.float64), nan=0.0)
    confusion = [[int(((sure > least) == guess)[positive == truth].sum()) for guess in (False, True)]
                 for truth in (False, True)]  # fmt: skip
    thresholds = np.unique(sure)[::-1]
    kept = thresholds[np.unique(np.linspace(0, len(thresholds) - 1, min(POINTS, len(thresholds))).astype(int))]
    rates = [[float((sure[positive == truth] >= from_here).mean()) for from_here in kept] for truth in (False, True)]
    return Classified(categories, confusion, [[0.0, *rates[0]], [0.0, *rates[1]], [1.0, *kept.tolist()]])
