"""Similar items learned from visits: who knows what is looked at together is found among those who do not."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from window_shop import window_shop

from components.common import columns as c
from components.common.prepared import Prepared
from components.fuse.beside import FEWEST_VISITS, visit_options, visit_set, visit_sets
from components.fuse.fit import fit_task
from components.fuse.priors import prior_of
from serving.arrays import Floats
from serving.catalogue import Catalogue
from serving.engine import Engine
from serving.members.base import Family, Member
from serving.queries import SIMILAR, Queries

ITEMS, GROUP = 60, 3  # items 0 to 2 are one group, and so on


class Groups(Member):
    """Knows the groups: every visit here looks at one."""

    kind = "substitutes"
    family: ClassVar[Family] = "rules"
    scenarios = frozenset({SIMILAR})

    @classmethod
    def load(cls, _folder: Path, _catalogue: Catalogue) -> "Groups":
        return cls()

    def score_all(self, queries: Queries) -> Floats:
        same = np.arange(ITEMS) // GROUP == queries.states.items[:, None] // GROUP
        return np.asarray(same, dtype=np.float32)


class Noise(Groups):
    """Knows nothing; the prior makes more of it."""

    kind = "joint"

    def score_all(self, queries: Queries) -> Floats:
        return np.random.default_rng(len(queries)).random((len(queries), ITEMS), dtype=np.float32)


def shop_of_visits(users: int, event: str = "view") -> tuple[Prepared, Engine]:
    """Every user looks at one group at one visit of the fit window, and at an item more at another."""
    user, place = np.repeat(np.arange(users), GROUP + 1), np.tile(np.arange(GROUP + 1), users)
    group = user % (ITEMS // GROUP)
    events = pd.DataFrame(
        {
            c.USER: user, c.ITEM: np.where(place < GROUP, GROUP * group + place, 0), c.EVENT: event,
            c.VISIT: (place == GROUP).astype(np.int32),
        }
    )  # fmt: skip
    members: dict[str, Member] = {"joint": Noise(), "substitutes": Groups()}
    return window_shop(events, ITEMS, members)


def test_the_rest_of_a_visit_is_wanted_beside_one_item_of_it() -> None:
    shop, engine = shop_of_visits(FEWEST_VISITS)
    found = visit_set(engine, shop, shop.split.fits[0], 0)
    assert found is not None
    assert sorted(found.groups.tolist()) == list(range(FEWEST_VISITS))
    assert (found.n_relevant == GROUP - 1).all()  # the anchor is not wanted beside itself, nor what another visit saw
    groups = found.scores[:, :, found.members.index("substitutes")]
    np.testing.assert_array_equal(found.labels > 0, (groups == 1) & found.valid)


def test_who_knows_what_is_looked_at_together_gets_the_weight_on_users_not_learned_from() -> None:
    shop, engine = shop_of_visits(FEWEST_VISITS)
    (fit,) = visit_sets({"fit": engine}, shop, 0)
    fusion, report = fit_task([fit], {}, visit_options(fit.members, 3, 0))
    weights = np.array(fusion.methods["softmax_firm"].weights)
    knows, noise = (abs(weights[fit.members.index(name)]).sum() for name in ("substitutes", "joint"))
    assert knows > 5 * noise
    methods = report["methods"]
    assert methods[fusion.chosen]["ndcg@10"] > 0.99 > methods["prior"]["ndcg@10"]
    assert prior_of(SIMILAR, fit.members).kind in fusion.methods


@pytest.mark.parametrize(("users", "event"), [(FEWEST_VISITS - 1, "view"), (FEWEST_VISITS, "purchase")])
def test_few_visits_and_purchases_teach_nothing(users: int, event: str) -> None:
    shop, engine = shop_of_visits(users, event)
    assert visit_sets({"fit": engine}, shop, 0) == []


def test_a_shop_without_members_for_similar_items_has_nothing_to_fit() -> None:
    shop, engine = shop_of_visits(FEWEST_VISITS)
    engine.members = {}
    assert visit_sets({"fit": engine}, shop, 0) == []
