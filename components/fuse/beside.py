"""Similar items: weights from visits of the fit windows, in which people look at one thing after another."""

from collections.abc import Mapping

import numpy as np
from scipy import sparse

from components.common import columns as c
from components.common.baskets import held_baskets
from components.common.prepared import Cut, Prepared
from components.fuse.lists import FitSet
from components.fuse.options import Options
from components.fuse.pools import BATCH, join
from components.fuse.priors import prior_of
from serving.arrays import gather
from serving.engine import Engine
from serving.queries import SIMILAR
from serving.states import UserStates

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
    if not len(held) or not any(SIMILAR in member.scenarios for member in engine.members.values()):
        return None
    place = np.concatenate([held.rows, *(np.full(len(given) - 1, n) for n, given in enumerate(held.given))])
    items = np.concatenate([held.items, *(np.array(given[1:], np.int64) for given in held.given)])
    others = sparse.csr_matrix((np.ones(len(items), np.float32), (place, items)), shape=(len(held), len(shop.items)))
    pools, labels = [], []
    for start in range(0, len(held), BATCH):
        anchors = [[given[0]] for given in held.given[start : start + BATCH]]
        states = UserStates.from_items(anchors, cut.as_of or 0)
        pool = engine.pool(engine.queries(SIMILAR, states), SIMILAR)
        pools.append(pool)
        labels.append(np.nan_to_num(gather(others[start : start + BATCH].toarray(), pool.candidates)))
    return join(pools, labels, np.diff(others.indptr).astype(np.int64), held.users, None)


def visit_sets(engines: Mapping[str, Engine], shop: Prepared, seed: int) -> list[FitSet]:
    """One set of each fit window in which people look around; none where all of them together teach too little."""
    found = (visit_set(engines[cut.name], shop, cut, seed) for cut in shop.split.fits)
    sets = [fit for fit in found if fit is not None]
    return sets if sum(len(fit) for fit in sets) >= FEWEST_VISITS else []


def visit_options(members: tuple[str, ...], folds: int, seed: int) -> Options:
    """Linear blends, and the prior beside them; where a member is absent, the weights of the others grow."""
    return Options(folds=folds, seed=seed, prior=prior_of(SIMILAR, members), only=METHODS, absences=False)
