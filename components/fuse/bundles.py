"""Bundles: weights from baskets of the fit windows, of which one half is hidden."""

from collections.abc import Mapping

import numpy as np
from scipy import sparse

from components.common.baskets import held_baskets
from components.common.prepared import Cut, Prepared
from components.fuse.lists import FitSet
from components.fuse.options import Options
from components.fuse.pools import answers_to, enough, held_set
from components.fuse.priors import prior_of
from serving.engine import Engine
from serving.queries import BUNDLE

BASKETS = 600  # of each fit window
FEWEST_BASKETS = 100  # in all fit windows; with fewer the prior stays
METHODS = ("least_squares_non_negative", "softmax_firm")  # linear: seconds, not minutes


def basket_set(engine: Engine, shop: Prepared, cut: Cut, seed: int) -> FitSet | None:
    """What *engine* recalls for halves of baskets of the cut's window, labelled with the other halves; None: no basket.

    What is known of the households is left aside: a bundle is asked for with a basket alone.
    """
    held = held_baskets(shop.target(cut), BASKETS, seed)
    if not len(held) or not answers_to(engine, BUNDLE):
        return None
    ones = np.ones(len(held.rows), dtype=np.float32)
    hidden = sparse.csr_matrix((ones, (held.rows, held.items)), shape=(len(held), len(shop.items)))
    return held_set(engine, cut, BUNDLE, held.given, hidden, held.users)


def basket_sets(engines: Mapping[str, Engine], shop: Prepared, seed: int) -> list[FitSet]:
    """One set of each fit window that holds baskets; none where all of them together teach too little."""
    return enough((basket_set(engines[cut.name], shop, cut, seed) for cut in shop.split.fits), FEWEST_BASKETS)


def bundle_options(members: tuple[str, ...], folds: int, seed: int) -> Options:
    """Linear blends, and the prior beside them; where a member is absent, the weights of the others grow."""
    return Options(folds=folds, seed=seed, prior=prior_of(BUNDLE, members), only=METHODS, absences=False)
