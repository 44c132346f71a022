"""The network that looks at the history: what it computes by hand, what it leaves alone, what it refuses."""

import numpy as np
import pytest
from pydantic import ValidationError

from serving.attention import SEEN, VIEWS, Attention, Net
from serving.blend import Blend
from serving.calibration import FEATURES
from serving.context import CONTEXT
from serving.evidence import Evidence
from serving.states import UserStates
from serving.traces import Traces
from serving.trees import columns_of
from serving.verdict import apply

NAMES = ("als", "text")
COLUMNS = len(columns_of(NAMES))
WIDTH = COLUMNS + len(NAMES) + SEEN
FADE = ((0.0, 0.0),) * VIEWS


def net(reads: int, weight: float = 1.0, out: float = 1.0) -> Net:
    """One unit that reads one input."""
    hidden = [0.0] * (WIDTH + 1)
    hidden[reads] = weight
    return Net(temperature=(1.0, 50.0, 1.0), fade=FADE, hidden=(tuple(hidden),), out=(out, 0.0))


def attention(*nets: Net, depth: int = 50) -> Attention:
    return Attention(members=NAMES, depth=depth, center=(0.0,) * COLUMNS, scale=(1.0,) * COLUMNS, nets=nets)


def evidence(histories: list[list[int]], c: int = 4, seed: int = 0) -> Evidence:
    """Item i points along axis i; the candidates are 0 to c - 1."""
    n = len(histories)
    random = np.random.default_rng(seed)
    states = UserStates.from_items(histories, 0)
    candidates = np.tile(np.arange(c, dtype=np.int32), (n, 1))
    vectors = np.eye(6, dtype=np.float32)
    traces = Traces.of(vectors, states, np.zeros(len(states.items), np.float32), candidates)
    scores = random.normal(size=(n, c, 2)).astype(np.float32)
    return Evidence(NAMES, scores, np.ones((n, c), bool), np.zeros((n, c, len(CONTEXT)), np.float32), traces)


def blend(found: Attention | None) -> Blend:
    rows = np.zeros((2, len(FEATURES)))
    rows[0, 0] = 1.0
    return Blend(kind="attention", members=NAMES, weights=tuple(map(tuple, rows.tolist())), attention=found)


def added(found: Attention, of: Evidence) -> np.ndarray:
    return np.asarray((apply(blend(found), of) - apply(blend(None), of))[..., -1])


def test_the_nearest_entry_is_what_the_last_input_tells() -> None:
    change = added(attention(net(WIDTH - 1)), evidence([[2, 5]]))
    np.testing.assert_allclose(change[0], np.tanh([0, 0, 1, 0]), atol=1e-6)


def test_a_warm_view_averages_and_a_cold_one_picks() -> None:
    mean, sharp = (added(attention(net(COLUMNS + 2 + 3 * view)), evidence([[2, 5]])) for view in (0, 1))
    share = 1 / (1 + np.exp(-1))
    np.testing.assert_allclose(mean[0, 2], np.tanh(share), atol=1e-6)
    np.testing.assert_allclose(sharp[0, 2], np.tanh(1.0), atol=1e-6)


def test_without_a_history_nothing_is_seen_and_others_do_not_matter() -> None:
    found = attention(net(WIDTH - 1), net(COLUMNS + 4))
    together = evidence([[], [1, 2, 3]])
    assert not added(found, together)[0].any()
    alone = Evidence(
        NAMES, together.scores[1:], together.valid[1:], together.context[1:], together.take(np.array([1])).traces
    )
    np.testing.assert_allclose(added(found, together)[1], added(found, alone)[0], atol=1e-6)
    blind = Evidence(NAMES, together.scores, together.valid, together.context)
    assert not added(found, blind).any()


def test_networks_are_averaged() -> None:
    of = evidence([[2, 5]])
    one, two = attention(net(WIDTH - 1)), attention(net(WIDTH - 1, out=3.0))
    np.testing.assert_allclose(
        added(attention(*one.nets, *two.nets), of), (added(one, of) + added(two, of)) / 2, atol=1e-6
    )


def test_what_lies_below_the_head_stays_below_it_in_its_order() -> None:
    of = evidence([[0, 1, 2, 3]] * 5, c=6, seed=3)
    plain = apply(blend(None), of).sum(axis=2)
    deep = apply(blend(attention(net(WIDTH - 1, out=-9.0), depth=2)), of).sum(axis=2)
    before, after = np.argsort(-plain, axis=1), np.argsort(-deep, axis=1)
    np.testing.assert_array_equal(np.sort(before[:, :2]), np.sort(after[:, :2]))
    np.testing.assert_array_equal(before[:, 2:], after[:, 2:])


def test_a_member_that_is_absent_leaves_the_linear_blend() -> None:
    of = evidence([[2]]).of(("als",))
    parts = apply(blend(attention(net(WIDTH - 1))), of)
    assert not parts[..., -1].any()


def test_numbers_that_do_not_fit_are_refused() -> None:
    good = attention(net(0))
    with pytest.raises(ValidationError, match="units of the network must read"):
        Attention(**good.model_dump() | {"nets": [Net(temperature=(1, 1, 1), fade=FADE, hidden=((1, 0),), out=(1, 0))]})
    with pytest.raises(ValidationError, match="scales above 0"):
        Attention(**good.model_dump() | {"scale": (0.0,) * COLUMNS})
    with pytest.raises(ValidationError, match="this version gives"):
        Attention(**good.model_dump() | {"context": CONTEXT[1:]})
    with pytest.raises(ValidationError, match="expected one more output"):
        Net(temperature=(1, 1, 1), fade=FADE, hidden=((1, 0),), out=(1,))
    with pytest.raises(ValidationError, match="fade must have"):
        Net(temperature=(1, 1, 1), fade=FADE[:1], hidden=((1, 0),), out=(1, 0))
    with pytest.raises(ValidationError, match="attention reads"):
        Blend(**blend(None).model_dump() | {"members": ("als", "tfidf"), "attention": good})
