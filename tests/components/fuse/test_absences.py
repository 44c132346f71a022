"""What serves while a member is absent: what the blend knows of the others, and a new fit where that is too little."""

from dataclasses import replace

import numpy as np
import pytest
from taught_lists import worth
from turned_shop import NAMES, shop

from components.fuse import absences
from components.fuse.absences import moved, with_absences
from components.fuse.attention import attention
from components.fuse.heads import softmax_head
from components.fuse.lists import FitSet, Lists
from components.fuse.options import Options
from components.fuse.second_level import Start
from components.fuse.stacker import at_full_strength
from serving.blend import Blend
from serving.calibration import FEATURES
from serving.context import CONTEXT
from serving.gate import Gate

THREE = (*NAMES, "idle")


def three(seed: int) -> FitSet:
    """With a third member that knows nothing."""
    fit = shop(seed=seed)
    idle = np.random.default_rng(seed).normal(size=(*fit.valid.shape, 1)).astype(np.float32)
    return replace(fit, members=THREE, scores=np.concatenate([fit.scores, idle], axis=2))


@pytest.fixture(scope="module")
def lists() -> Lists:
    return Lists.of([three(0)], 10**6, 0)


@pytest.fixture(scope="module")
def whole(lists: Lists) -> Blend:
    return attention(lists, Start(softmax_head, 0), 2, 0)


def test_what_is_left_of_a_gate_is_the_part_of_the_members_left() -> None:
    size = len(NAMES) * len(FEATURES)
    gate = Gate(
        inputs=CONTEXT[:1], center=(0.0,), scale=(1.0,), hidden=((1.0, 0.0),), activation="tanh",
        out=(tuple(map(float, range(size))),),
    )  # fmt: skip
    assert gate.of([1]).out == (tuple(map(float, range(len(FEATURES), size))),)
    context = np.ones((1, 2, len(CONTEXT)), np.float32)
    np.testing.assert_allclose(gate.of([1]).extra(context), gate.extra(context)[:, :, 1:])


def test_the_weights_move_to_where_the_members_left_rank_best(lists: Lists) -> None:
    """`als` is what users follow; a blend that only knew `text` is moved to it."""
    none, much = (0.0,) * len(FEATURES), (5.0,) * len(FEATURES)
    less = lists.drop("text")
    found = moved(Blend(kind="network", members=THREE, weights=(none, much, none)), less)
    assert found.members == ("als", "idle")
    fresh = three(3).of(("als", "idle"))
    assert worth(found, fresh) == pytest.approx(worth(softmax_head(less), fresh), rel=0.02)


def test_an_absence_is_served_by_the_networks_of_the_blend_carried_on(lists: Lists, whole: Blend) -> None:
    found = with_absences(whole, lists, THREE, {}, Options(), "attention").without
    assert set(found) == set(THREE)
    alone = found["text"]
    assert alone.members == ("als", "idle")
    assert alone.attention is not None
    assert len(alone.attention.nets) == 1
    less = lists.drop("text")
    assert alone == Options().methods(less.members, None, True, begin=moved(whole, less))["attention"](less)
    fresh = three(3).of(("als", "idle"))
    assert worth(alone, fresh) > 0.98 * worth(attention(less, Start(softmax_head, 0), 1, 0), fresh)
    assert worth(alone, fresh) > 1.1 * worth(softmax_head(less), fresh)


def test_of_an_ensemble_the_networks_are_carried_on_and_trees_of_the_members_left_learned_over_them(
    lists: Lists,
) -> None:
    whole = Options().methods(THREE, None, True)["ensemble"](lists)
    found = with_absences(whole, lists, THREE, {}, Options(), "ensemble").without["text"]
    assert found.trees is not None
    assert found.attention is not None
    assert found.members == found.trees.members == found.attention.members == ("als", "idle")
    networks = Options().methods(found.members, None, True, begin=moved(whole, lists.drop("text")))["attention"]
    assert at_full_strength(found) == networks(lists.drop("text")).attention
    fresh = three(3).of(("als", "idle"))
    assert worth(found, fresh) > 0.98 * worth(
        Options().methods(found.members, None, True)["ensemble"](lists.drop("text")), fresh
    )


def test_a_gate_that_is_carried_over_keeps_what_it_knows_and_moves_its_weights(lists: Lists, whole: Blend) -> None:
    found = with_absences(whole, lists, THREE, {}, Options(), "network").without["text"]
    expected = moved(whole, lists.drop("text"))
    assert (found.kind, found.attention) == ("network", None)
    assert (found.weights, found.gate) == (expected.weights, expected.gate)


def test_where_much_is_lost_the_method_is_fitted_anew(
    lists: Lists, whole: Blend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left of the blend is taken as it is, and found wanting: the networks start from nothing."""
    monkeypatch.setattr(absences, "MUCH", -1.0)
    found = with_absences(whole, lists, THREE, {}, Options(), "attention").without["text"]
    assert found == Options().methods(("als", "idle"), None, True)["attention"](lists.drop("text"))
