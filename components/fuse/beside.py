"""Similar items: weights from visits of the fit windows, in which people look at one thing after another."""

from collections.abc import Mapping

import numpy as np
from scipy import sparse

from components.common import columns as c
from components.common.baskets import held_baskets
from components.common.prepared import Cut, Prepared
from components.fuse.lists import FitSet
from components.fuse.options import Options
from components.fuse.pools import answers_to, enough, held_set
from components.fuse.priors import prior_of
from serving.engine import Engine
from serving.queries import SIMILAR

LOOKS = ("view", "click")  # who looks compares; what is bought together goes together, which is another question
VISITS = 600  # of each fit window, one a user
FEWEST_VISITS = 200  # in all fit windows; with fewer the prior stays
METHODS = ("least_squares_non_negative", "softmax_firm")  # linear: seconds, not minutes


def visit_set(engine: Engine, shop: Prepared, cut: Cut, seed: int) -> FitSet | None:
    """What *engine* recalls beside one item of each visit of the cut's window, labelled with the visit's others.

    None where nobody looked at two items at one visit. Members know nothing of the window, and no user has two lists.
    """
    window = shop.window(cut)
    held = held_baskets(window[window[c.EVENT].isin(LOOKS)], VISITS, seed)
    if not len(held) or not answers_to(engine, SIMILAR):
        return None
    place = np.concatenate([held.rows, *(np.full(len(given) - 1, n) for n, given in enumerate(held.given))])
    items = np.concatenate([held.items, *(np.array(given[1:], np.int64) for given in held.given)])
    others = sparse.csr_matrix((np.ones(len(items), np.float32), (place, items)), shape=(len(held), len(shop.items)))
    return held_set(engine, cut, SIMILAR, [[given[0]] for given in held.given], others, held.users)


def visit_sets(engines: Mapping[str, Engine], shop: Prepared, seed: int) -> list[FitSet]:
    """One set of each fit window in which people look around; none where all of them together teach too little."""
    return enough((visit_set(engines[cut.name], shop, cut, seed) for cut in shop.split.fits), FEWEST_VISITS)


def visit_options(members: tuple[str, ...], folds: int, seed: int) -> Options:
    """Linear blends, and the prior beside them; where a member is absent, the weights of the others grow."""
    return Options(folds=folds, seed=seed, prior=prior_of(SIMILAR, members), only=METHODS, absences=False)
