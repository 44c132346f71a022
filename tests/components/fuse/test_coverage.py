"""Coverage by hand, and when it decides."""

import numpy as np
import pandas as pd

from components.fuse.coverage import shown, wide_enough
from components.fuse.lists import Contexts, FitSet
from components.fuse.methods import single
from serving.catalogue import Catalogue
from serving.context import ContextReader
from serving.states import UserStates

NAMES = ("same", "own")


def test_distinct_items_of_the_first_ten_are_counted() -> None:
    n, c = 4, 30
    candidates = np.tile(np.arange(c, dtype=np.int32), (n, 1))
    scores = np.empty((n, c, 2), np.float32)
    scores[:, :, 0] = -np.arange(c)  # everybody gets items 0..9
    scores[:, :, 1] = [np.roll(-np.arange(c), 5 * row) for row in range(n)]  # starts at 0, 5, 10 and 15
    frame = {"category": [""] * c, "brand": [""] * c, "price_norm": np.zeros(c, np.float32)}
    states = UserStates.from_items([[]] * n, 0)
    contexts = Contexts(ContextReader(Catalogue(pd.DataFrame(frame)), True), states, candidates)
    fit = FitSet(
        NAMES, scores, np.ones((n, c), bool), np.zeros((n, c), np.float32), np.ones(n, int), np.arange(n), contexts
    )
    table = {name: single(name, NAMES) for name in NAMES}
    assert shown([fit], [np.array([0, 0, 1, 1])], [table, table]) == {"same": 10, "own": 25}
    blind = FitSet(NAMES, scores, fit.valid, fit.labels, fit.n_relevant, fit.groups)
    assert shown([blind], [np.zeros(n, int)], [table]) == {"same": 0, "own": 0}


def test_a_blend_nearly_as_good_that_shows_more_is_taken() -> None:
    worth = {"network": 0.0400, "greedy": 0.0395, "least_squares": 0.0390, "voting": 0.0370}
    covers = {"network": 500, "greedy": 510, "least_squares": 930, "voting": 990, "single:knn": 1000}
    assert wide_enough(worth, covers, "network", "single:knn") == "least_squares"
    assert wide_enough(worth, covers | {"network": 900}, "network", "single:knn") == "network"
    assert wide_enough(worth | {"least_squares": 0.0379}, covers, "network", "single:knn") == "network"
