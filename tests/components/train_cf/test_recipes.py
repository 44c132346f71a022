import pytest
from member_contract import planted_shop

from components.common.prepared import Prepared, visit_items
from components.train_cf.histories import clock_of, now_of, training_states
from components.train_cf.recipes import RECIPES, Material, usual
from serving.members.history import HistoryWeights

EVERYWHERE = {"popularity", "trend", "item_knn", "cooccurrence", "als"}


def material_of(prepared: Prepared, together: int = 1) -> Material:
    """What the planted shop teaches, *together* visits made one."""
    cut = prepared.split.test
    visits = visit_items(prepared.train(cut), prepared.shop)
    visits["visit"] //= together
    states = training_states(prepared, cut)
    return Material(
        visits, states, now_of(prepared, cut), len(prepared.items), HistoryWeights(clock=clock_of(prepared))
    )


def test_the_effort_and_the_kind_of_shop_decide_which_members_are_trained() -> None:
    ordered, baskets = material_of(planted_shop()), material_of(planted_shop(), together=3)
    assert (ordered.kind, baskets.kind) == ("ordered", "baskets")
    assert set(usual(ordered, "fast")) == EVERYWHERE | {"linear"}
    assert set(usual(baskets, "fast")) == EVERYWHERE | {"pca"}
    assert set(usual(ordered, "full")) == set(RECIPES) - {"pca"}
    assert set(usual(baskets, "full")) == set(RECIPES) - {"linear", "bpr"}


def test_where_time_is_an_order_the_trend_counts_visits() -> None:
    ordered = material_of(planted_shop(protocol="leave-one-out"))
    assert RECIPES["trend"].begin(ordered, seed=0).recent < 1
    assert RECIPES["trend"].begin(material_of(planted_shop()), seed=0).recent > 7


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("protocol", ["temporal", "leave-one-out"])
@pytest.mark.parametrize("together", [1, 3])
def test_every_choice_is_a_valid_configuration(name: str, protocol: str, together: int) -> None:
    material = material_of(planted_shop(protocol=protocol), together)
    start = RECIPES[name].begin(material, seed=3)
    for field, options in RECIPES[name].choices(material).items():
        for option in options:
            changed = type(start).parse({**start.model_dump(), field: option}, "choice")
            assert changed != start
    if "seed" in type(start).model_fields:
        assert start.model_dump()["seed"] == 3


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_trains_its_own_kind(name: str) -> None:
    material = material_of(planted_shop())
    member = RECIPES[name].train(RECIPES[name].begin(material, 0), material)
    assert member.kind == name
