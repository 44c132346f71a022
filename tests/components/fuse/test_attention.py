"""Learning to look at the history: what no other method sees, torch's answers and ours, honest starts."""

from functools import partial

import numpy as np
import pytest
import torch
from taught_lists import worth
from turned_shop import NAMES, shop

from components.fuse.attention import BATCH, BRIEF, EPOCHS, MOST_STEPS, Network, _batches, _fit, attention, only
from components.fuse.heads import softmax_head
from components.fuse.lists import Lists
from components.fuse.methods import methods, softmax_free
from components.fuse.second_level import DEPTH, SecondLevel, Start, once
from components.fuse.stacker import SHAPES, at_full_strength, ensemble, stacker
from serving.attention import Attention, Look, inputs
from serving.trees import UNKNOWN, columns_of
from serving.verdict import apply

LINEAR = partial(softmax_free, kind="softmax_free")


@pytest.fixture(scope="module")
def lists() -> Lists:
    return Lists.of([shop()], 10**6, 0)


def test_it_learns_what_the_history_tells_also_when_vectors_come_out_turned(lists: Lists) -> None:
    linear, found = LINEAR(lists), attention(lists, Start(LINEAR, 0), 1, 0)
    fresh = shop(seed=1, turn=7)
    assert worth(found, fresh) > 1.15 * worth(linear, fresh)
    assert found.weights == linear.weights


def test_torch_and_the_engine_compute_the_same(lists: Lists) -> None:
    second = SecondLevel.each(lists, [LINEAR], DEPTH, 0)[0]
    width = len(columns_of(NAMES))
    read = inputs(second.columns, len(NAMES), (0.0,) * width, (1.0,) * width)
    torch.manual_seed(1)
    network = Network(read.shape[2]).eval()
    torch.nn.init.normal_(network.out.weight)
    theirs = network(torch.from_numpy(read), second.look).detach().numpy()
    served = Attention(members=NAMES, center=(0.0,) * width, scale=(1.0,) * width, nets=(network.numbers(),))
    ours = served.arrays.say(read, second.look)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert np.ptp(theirs) > 0.1
    nothing = Look.nothing(*read.shape[:2])
    np.testing.assert_allclose(
        served.arrays.say(read, nothing), network(torch.from_numpy(read), nothing).detach().numpy(), atol=1e-4
    )


def test_the_same_seed_gives_the_same_network_and_leaves_torch_alone(lists: Lists) -> None:
    second = SecondLevel.each(lists, [LINEAR], DEPTH, 0)[0]
    width = len(columns_of(NAMES))
    read = inputs(second.columns, len(NAMES), (0.0,) * width, (1.0,) * width)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    assert _fit(read, second, 0, 2) == _fit(read, second, 0, 2)
    assert torch.equal(before, torch.random.get_rng_state())
    assert _fit(read, second, 0, 2) != _fit(read, second, 1, 2)
    assert _fit(read, second, 0, 2) != _fit(read, second, 0, 3)


def test_too_few_lists_leave_the_linear_blend_alone(lists: Lists) -> None:
    assert attention(lists.take(np.arange(20)), Start(LINEAR, 0), 3, 0).attention is None


def test_several_seeds_stand_side_by_side(lists: Lists) -> None:
    found = attention(lists, Start(LINEAR, 0), 2, 0).attention
    assert found is not None
    assert len(found.nets) == 2
    assert found.nets[0] != found.nets[1]


def test_an_ensemble_says_the_mean_of_trees_and_networks(lists: Lists) -> None:
    start = Start(LINEAR, 0)
    networks = once(partial(attention, start=start, seeds=1, seed=0))
    shape = SHAPES["stacker"]
    found = ensemble(lists, start, shape, networks, 2, 0)
    trees = stacker(lists, start, "stacker", shape, 2, 0)
    evidence = shop(seed=2, c=30).evidence(np.arange(40))
    both, one, two = (apply(blend, evidence).sum(axis=2) for blend in (found, trees, networks(lists)))
    np.testing.assert_allclose(both, (one + two) / 2, atol=1e-4)
    assert np.abs(one - two).max() > 0.1
    assert found.kind == "ensemble"
    assert ensemble(lists.take(np.arange(20)), start, shape, networks, 2, 0).trees is None


def test_steps_end_however_many_lists_there_are() -> None:
    few, many = (list(_batches(n, 0, EPOCHS)) for n in (2 * BATCH, 100 * BATCH))
    assert len(few) == 2 * EPOCHS
    assert len(many) == MOST_STEPS
    assert sorted(np.concatenate(few[:2]).tolist()) == list(range(2 * BATCH))


def test_networks_without_a_member_say_the_same_where_it_scored_nothing(lists: Lists) -> None:
    found = attention(lists, Start(softmax_head, 0), 2, 0).attention
    assert found is not None
    left = only(found, ("text",))
    read = columns_of(("text",))
    assert left.center == tuple(found.center[columns_of(NAMES).index(name)] for name in read)
    columns = np.random.default_rng(0).normal(size=(4, 6, len(columns_of(NAMES)))).astype(np.float32)
    columns[..., [name.endswith(":als") for name in columns_of(NAMES)]] = UNKNOWN
    kept = columns[..., [columns_of(NAMES).index(name) for name in read]]
    said, alone = found.added(columns, None), quiet(left, found).added(kept, None)
    np.testing.assert_allclose(said, alone, atol=1e-5)


def quiet(left: Attention, whole: Attention) -> Attention:
    """*left* with what *whole* reads where `als` did not score added to the bias of every unit."""
    place = len(columns_of(NAMES)) + NAMES.index("als")
    nets = []
    for smaller, full in zip(left.nets, whole.nets, strict=True):
        units = zip(smaller.hidden, full.hidden, strict=True)
        hidden = tuple((*row[:-1], row[-1] + wide[place]) for row, wide in units)
        nets.append(smaller.model_copy(update={"hidden": hidden}))
    return left.model_copy(update={"nets": tuple(nets)})


def test_networks_begin_where_others_ended_and_need_fewer_passes(lists: Lists) -> None:
    start = Start(softmax_head, 0)
    whole = attention(lists, start, 1, 0)
    less = lists.drop("als")
    again = attention(less, Start(softmax_head, 0), 1, 0, whole.attention)
    second = Start(softmax_head, 0).of(less)[1]
    assert whole.attention is not None
    begun = only(whole.attention, ("text",))
    read = inputs(second.columns, 1, begun.center, begun.scale)
    assert again.attention is not None
    assert again.attention.nets == (_fit(read, second, 0, BRIEF, begun.nets[0]),)
    assert _fit(read, second, 0, 0, begun.nets[0]) == begun.nets[0]
    fresh = shop(seed=1, turn=7).of(("text",))
    assert worth(again, fresh) > 1.1 * worth(softmax_head(less), fresh)


def test_a_second_level_begins_with_the_weights_and_the_networks_that_it_is_given(lists: Lists) -> None:
    whole = attention(lists, Start(softmax_head, 0), 1, 0)
    known = methods(NAMES, None, {}, 0, True, begin=whole)
    found = known["attention"](lists)
    assert found.weights == whole.weights
    assert found == attention(lists, Start(lambda _: whole, 0), 1, 0, whole.attention).model_copy(
        update={"attention": found.attention}
    )
    assert at_full_strength(found) == found.attention
    full = at_full_strength(known["ensemble"](lists))
    assert full is not None
    assert found.attention is not None
    np.testing.assert_allclose(full.nets[0].out, found.attention.nets[0].out)
    assert at_full_strength(softmax_head(lists)) is None
