"""Bundles learned from hidden halves: the member that knows what goes together is found among those that do not."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
from window_shop import window_shop

from components.common import columns as c
from components.common.prepared import Prepared
from components.fuse.bundles import FEWEST_BASKETS, basket_sets, bundle_options
from components.fuse.fit import fit_task
from serving.arrays import Floats
from serving.catalogue import Catalogue
from serving.engine import Engine
from serving.members.base import Family, Member
from serving.queries import BUNDLE, Queries

ITEMS, USERS = 60, 2 * FEWEST_BASKETS


class Pairs(Member):
    """Knows that item i goes with i + 1 and i - 1 (even and odd), as every basket here is made."""

    kind = "pairs"
    family: ClassVar[Family] = "rules"
    scenarios = frozenset({BUNDLE})

    @classmethod
    def load(cls, _folder: Path, _catalogue: Catalogue) -> "Pairs":
        return cls()

    def score_all(self, queries: Queries) -> Floats:
        states = queries.states
        scores = np.full((len(states), ITEMS), np.nan, dtype=np.float32)
        scores[states.row_of, states.items ^ 1] = 1.0
        return scores


class Noise(Pairs):
    """Knows nothing."""

    kind = "noise"

    def score_all(self, queries: Queries) -> Floats:
        return np.random.default_rng(len(queries)).random((len(queries), ITEMS), dtype=np.float32)


def shop_of_pairs(users: int) -> tuple[Prepared, Engine]:
    """Every user's basket of the fit window is one pair of items."""
    pair = np.repeat(np.arange(users) % (ITEMS // 2), 2)
    events = pd.DataFrame(
        {
            c.USER: np.repeat(np.arange(users), 2), c.ITEM: 2 * pair + np.tile([0, 1], users), c.EVENT: "purchase",
            c.VISIT: 0,
        }
    )  # fmt: skip
    members: dict[str, Member] = {"noise": Noise(), "pairs": Pairs()}
    return window_shop(events, ITEMS, members)


def test_the_member_that_knows_what_goes_together_gets_the_weight() -> None:
    shop, engine = shop_of_pairs(USERS)
    (fit,) = basket_sets({"fit": engine}, shop, 0)
    assert len(fit) == USERS
    assert (fit.n_relevant == 1).all()
    fusion, report = fit_task([fit], {}, bundle_options(fit.members, 3, 0))
    weights = np.array(fusion.methods["softmax_firm"].weights)
    assert weights[fit.members.index("pairs")].sum() > 5 * abs(weights[fit.members.index("noise")]).sum()
    assert report["methods"][fusion.chosen]["ndcg@10"] > 0.99
    assert {"prior", "softmax_firm"} <= set(report["methods"])


def test_too_few_baskets_teach_nothing() -> None:
    shop, engine = shop_of_pairs(FEWEST_BASKETS - 1)
    assert basket_sets({"fit": engine}, shop, 0) == []


def test_a_shop_without_members_for_bundles_has_nothing_to_fit() -> None:
    shop, engine = shop_of_pairs(USERS)
    engine.members = {}
    assert basket_sets({"fit": engine}, shop, 0) == []
