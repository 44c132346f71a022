"""Bundles: weights from baskets of the fit windows, of which one half is hidden."""

from collections.abc import Mapping

import numpy as np
from scipy import sparse

from components.common.baskets import held_baskets
from components.common.prepared import Cut, Prepared
from components.fuse.lists import FitSet
from components.fuse.options import Options
from components.fuse.pools import BATCH, join
from components.fuse.priors import prior_of
from serving.arrays import gather
from serving.engine import Engine
from serving.queries import BUNDLE
from serving.states import UserStates

BASKETS = 600  # of each fit window
FEWEST_BASKETS = 100  # in all fit windows; with fewer the prior stays
METHODS = ("least_squares_non_negative", "softmax_firm")  # linear: seconds, not minutes


def basket_set(engine: Engine, shop: Prepared, cut: Cut, seed: int) -> FitSet | None:
    """What *engine* recalls for halves of baskets of the cut's window, labelled with the other halves; None: no basket.

    What is known of the households is left aside: a bundle is asked for with a basket alone.
    """
    held = held_baskets(shop.target(cut), BASKETS, seed)
    if not len(held) or not any(BUNDLE in member.scenarios for member in engine.members.values()):
        return None
    ones = np.ones(len(held.rows), dtype=np.float32)
    hidden = sparse.csr_matrix((ones, (held.rows, held.items)), shape=(len(held), len(shop.items)))
    pools, labels = [], []
    for start in range(0, len(held), BATCH):
        states = UserStates.from_items(held.given[start : start + BATCH], cut.as_of or 0)
        pool = engine.pool(engine.queries(BUNDLE, states), BUNDLE)
        pools.append(pool)
        labels.append(np.nan_to_num(gather(hidden[start : start + BATCH].toarray(), pool.candidates)))
    return join(pools, labels, np.diff(hidden.indptr).astype(np.int64), held.users, None)


def basket_sets(engines: Mapping[str, Engine], shop: Prepared, seed: int) -> list[FitSet]:
    """One set of each fit window that holds baskets; none where all of them together teach too little."""
    found = (basket_set(engines[cut.name], shop, cut, seed) for cut in shop.split.fits)
    sets = [fit for fit in found if fit is not None]
    return sets if sum(len(fit) for fit in sets) >= FEWEST_BASKETS else []


def bundle_options(members: tuple[str, ...], folds: int, seed: int) -> Options:
    """Linear blends, and the prior beside them; where a member is absent, the weights of the others grow."""
    return Options(folds=folds, seed=seed, prior=prior_of(BUNDLE, members), only=METHODS, absences=False)
