"""Users without a history: how theirs is hidden, and what is learned for them."""

import numpy as np
import pytest

from components.fuse.lists import FitSet
from components.fuse.methods import single
from components.fuse.options import Options
from components.fuse.strangers import for_strangers, hidden
from serving.blend import Blend, TaskFusion
from serving.states import UserStates

NAMES = ("noise", "popularity")
OPTIONS = Options(seed=3)


def fusion() -> TaskFusion:
    return TaskFusion(chosen="both", methods={"both": Blend(kind="both", members=NAMES, weights=((1.0,) * 6,) * 2)})


def lists(n: int, right: int, seed: int = 0) -> FitSet:
    """All want what member *right* puts first; the other draws its scores."""
    random = np.random.default_rng(seed)
    scores = random.normal(size=(n, 30, 2)).astype(np.float32)
    labels = np.zeros((n, 30), np.float32)
    labels[np.arange(n), scores[:, :, right].argmax(axis=1)] = 1
    return FitSet(NAMES, scores, np.ones((n, 30), bool), labels, np.ones(n, int), np.arange(n))


def test_a_hidden_history_leaves_the_user_and_the_profile() -> None:
    states = UserStates.from_items([[3, 1], [], [2]], 7)
    empty = hidden(states)
    assert empty.sizes.tolist() == [0, 0, 0]
    assert (len(empty), empty.as_of.tolist(), empty.user_ids) == (3, states.as_of.tolist(), states.user_ids)
    assert not len(empty.take(np.array([0, 2])).items)


@pytest.mark.parametrize("right", [0, 1])
def test_what_strangers_take_decides_and_the_blend_for_others_stays(right: int) -> None:
    found, report = for_strangers(fusion(), [lists(120, right), lists(120, right, 1)], OPTIONS)
    blend = found.methods["both"]
    assert blend.strangers is not None
    table = blend.strangers.table
    assert abs(table[right]).sum() > 3 * abs(table[1 - right]).sum()
    assert blend.model_copy(update={"strangers": None}) == fusion().methods["both"]
    assert report is not None
    assert report["lists"] == 240


def test_of_many_lists_the_steadiest_of_equals_serves_and_nothing_is_held_back() -> None:
    """Both members want the same: the one alone that leads by chance is not taken, however many lists there are."""
    random = np.random.default_rng(0)
    truth = random.normal(size=(700, 30)).astype(np.float32)
    scores = truth[:, :, None] + random.normal(size=(700, 30, 2)).astype(np.float32)
    labels = np.zeros((700, 30), np.float32)
    labels[np.arange(700), truth.argmax(axis=1)] = 1
    many = FitSet(NAMES, scores, np.ones((700, 30), bool), labels, np.ones(700, int), np.arange(700))
    report = for_strangers(fusion(), [many], OPTIONS)[1]
    assert report is not None
    assert (report["chosen"], report["teaching_lists"], report["trades"]) == ("softmax", 700, [])


def test_nobody_to_learn_from_changes_nothing() -> None:
    assert for_strangers(fusion(), [], OPTIONS) == (fusion(), None)
    other = TaskFusion(chosen="one", methods={"one": single("als", ("als",))})
    assert for_strangers(other, [lists(50, 0)], OPTIONS) == (other, None)
