"""What tests of the second level share: the worth of a blend on a fit set."""

import numpy as np

from components.common.ranking import ndcg_at
from components.fuse.lists import FitSet
from serving.blend import Blend
from serving.verdict import apply


def worth(blend: Blend, fit: FitSet) -> float:
    """Mean NDCG@10 over the lists."""
    total = apply(blend, fit.evidence(np.arange(len(fit)))).sum(axis=2)
    labels = np.take_along_axis(fit.labels, np.argsort(-total, axis=1, kind="stable"), axis=1)
    return float(np.nanmean(ndcg_at(labels, fit.n_relevant, 10)))
