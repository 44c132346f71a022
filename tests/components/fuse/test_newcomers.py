"""Users of whom little is known: how histories are cut short, what is learned for them, and up to how many products."""

from dataclasses import replace

import numpy as np
import pytest
from member_contract import planted_shop
from scipy import sparse

from components.fuse.lists import Contexts, FitSet
from components.fuse.methods import single
from components.fuse.newcomers import FEW, cut_short, first_of_each, for_newcomers, reach
from components.fuse.options import Options
from serving.blend import Blend, TaskFusion
from serving.catalogue import Catalogue
from serving.context import ContextReader
from serving.states import UserStates

NAMES = ("noise", "popularity")
OPTIONS = Options(seed=3)
N, C = 120, 16


def fusion(leader: str) -> TaskFusion:
    blend = single(leader, NAMES).model_copy(update={"kind": "served"})
    return TaskFusion(chosen="served", methods={"served": blend})


def lists(right: int, seed: int = 0) -> FitSet:
    """Users of one to five products all want what member *right* puts first; the other draws its scores."""
    random = np.random.default_rng(seed)
    scores = random.normal(size=(N, C, 2)).astype(np.float32)
    labels = np.zeros((N, C), np.float32)
    labels[np.arange(N), scores[:, :, right].argmax(axis=1)] = 1
    states = UserStates.from_items([[*range(1 + user % FEW)] for user in range(N)], 0)
    reader = ContextReader(Catalogue(planted_shop().items), ordinal_time=False)
    contexts = Contexts(reader, states, np.tile(np.arange(C, dtype=np.int32), (N, 1)))
    return FitSet(NAMES, scores, np.ones((N, C), bool), labels, np.ones(N, int), np.arange(N), contexts)


def test_a_history_cut_short_holds_its_last_products() -> None:
    states = UserStates.from_items([[3, 1, 2], [], [4], [5, 6]], 7)
    states = replace(states, counts=np.arange(6, dtype=np.float32))
    short = cut_short(states, np.array([2, 3, 1, 1]))
    assert short.sizes.tolist() == [2, 0, 1, 1]
    assert short.items.tolist() == [1, 2, 4, 6]
    assert short.counts.tolist() == [1, 2, 3, 5]
    assert (short.as_of.tolist(), short.user_ids) == (states.as_of.tolist(), states.user_ids)
    assert cut_short(states, np.full(4, 9)).items.tolist() == states.items.tolist()


def test_where_the_chosen_blend_misleads_newcomers_have_one_of_their_own() -> None:
    found, report = for_newcomers(fusion("noise"), [lists(1), lists(1, 1)], OPTIONS)
    blend = found.methods["served"]
    assert list(blend.newcomers) == [1, 2, 3, 4, 5]
    assert all(own.kind.startswith("newcomers:") for own in blend.newcomers.values())
    table = blend.newcomers[1].table
    assert abs(table[1]).sum() > 3 * abs(table[0]).sum()
    assert blend.model_copy(update={"newcomers": {}}) == fusion("noise").methods["served"]
    assert report is not None
    assert (report["lists"], report["few"]) == (2 * N, FEW)
    assert report["served"] < 0.3


def test_where_the_chosen_blend_is_as_good_nothing_changes() -> None:
    found, report = for_newcomers(fusion("popularity"), [lists(1), lists(1, 1)], OPTIONS)
    assert found == fusion("popularity")
    assert report is not None
    assert (report["few"], report["served"]) == (0, 1.0)


def test_who_viewed_one_product_and_who_knows_several_have_blends_of_their_own() -> None:
    """Users of one product want what popularity says, the others what the chosen blend says already, or not."""
    one, several = np.arange(0, N, FEW), np.flatnonzero(np.arange(N) % FEW)
    viewed, _ = for_newcomers(fusion("noise"), [lists(1).take(one)], OPTIONS)
    own = viewed.methods["served"].newcomers
    assert list(own) == [1]
    assert abs(own[1].table[1]).sum() > abs(own[1].table[0]).sum()
    assert for_newcomers(viewed, [lists(0).take(several)], OPTIONS)[0] == viewed
    both = for_newcomers(viewed, [lists(1).take(several)], OPTIONS)[0].methods["served"].newcomers
    assert sorted(both) == [1, 2, 3, 4, 5]
    assert both[1] == own[1]


def test_the_first_product_is_viewed_one_of_several_at_a_time_drawn() -> None:
    at = sparse.csr_matrix(np.repeat([[7, 9, 7, 0], [0, 6, 0, 5]], 500, axis=0))
    viewed = first_of_each(at, 0)
    assert (viewed[:500] == 2).mean() == pytest.approx(0.5, abs=0.06)
    assert set(viewed[:500].tolist()) == {0, 2}
    assert set(viewed[500:].tolist()) == {3}
    assert (first_of_each(at, 0) == viewed).all()
    assert (first_of_each(at, 1) != viewed).any()


def test_nobody_to_learn_from_changes_nothing() -> None:
    assert for_newcomers(fusion("noise"), [], OPTIONS) == (fusion("noise"), None)
    other = TaskFusion(chosen="one", methods={"one": Blend(kind="one", members=("als",), weights=((1.0,) * 6,))})
    assert for_newcomers(other, [lists(0)], OPTIONS) == (other, None)


def test_it_reaches_as_far_as_it_gains_beyond_chance() -> None:
    sizes = np.repeat([1, 2, 3, 4, 5], 20)
    noise = np.tile([0.01, -0.01], 50)
    assert reach(noise + np.select([sizes < 3, sizes == 3], [0.2, 0.1], -0.1), sizes) == 3
    assert reach(noise + 0.1, sizes) == FEW
    assert reach(noise, sizes) == 0
    assert reach(-np.ones(100), sizes) == 0
    assert reach(np.where(sizes == 1, np.nan, 0.1) + noise, sizes) == FEW
    assert reach(np.ones(1), np.ones(1, int)) == 0  # of one list nothing can be said


def test_lists_of_nobody_in_particular_are_an_error() -> None:
    with pytest.raises(ValueError, match="expected those of users"):
        for_newcomers(fusion("noise"), [replace(lists(1), contexts=None)], OPTIONS)
