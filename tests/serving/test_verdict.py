"""Scores without parts: the sum of the parts, of every kind of blend, whoever is absent."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.attention import SEEN, VIEWS, Attention, Net
from serving.blend import FEATURES, Blend
from serving.breadth import POPULARITY
from serving.context import CONTEXT
from serving.evidence import Evidence
from serving.gate import Gate
from serving.states import UserStates
from serving.traces import Traces
from serving.trees import Tree, Trees, columns_of
from serving.verdict import apply, totals

NAMES = ("als", "text", POPULARITY)
COLUMNS = columns_of(NAMES)


def evidence(members: tuple[str, ...], seed: int, n: int = 5, c: int = 9) -> Evidence:
    random = np.random.default_rng(seed)
    scores = random.normal(size=(n, c, len(members))).astype(np.float32)
    scores[random.random(scores.shape) < 0.2] = np.nan
    valid = random.random((n, c)) < 0.8
    context = random.normal(size=(n, c, len(CONTEXT))).astype(np.float32)
    states = UserStates.from_items([[row % 4] * (row % 3) for row in range(n)], 0)
    candidates = np.tile(np.arange(c, dtype=np.int32), (n, 1))
    vectors = random.normal(size=(c, 3)).astype(np.float32)
    return Evidence(
        members, scores, valid, context, Traces.of(vectors, states, np.zeros(len(states.items), np.float32), candidates)
    )


def gate(random: np.random.Generator) -> Gate:
    return Gate(
        inputs=("history", "price"), center=(0.1, -0.2), scale=(1.0, 2.0),
        hidden=tuple(map(tuple, random.normal(size=(2, 3)).tolist())), activation="tanh",
        out=tuple(map(tuple, random.normal(size=(2, len(NAMES) * len(FEATURES))).tolist())),
    )  # fmt: skip


def trees(depth: int) -> Trees:
    first = Tree(
        feature=(COLUMNS.index("rank:als"), COLUMNS.index("history")), threshold=(2.0, 0.0), left=(1, -1),
        right=(-3, -2), values=(0.1, 0.3), leaves=(0.2, 0.7, -0.4),
    )  # fmt: skip
    second = Tree(feature=(0,), threshold=(0.5,), left=(-1,), right=(-2,), values=(0.0,), leaves=(-0.3, 0.3))
    return Trees(members=NAMES, depth=depth, trees=(first, second))


def attention(random: np.random.Generator, depth: int) -> Attention:
    width = len(COLUMNS) + len(NAMES) + SEEN + 1
    net = Net(
        temperature=(1.0, 3.0, 9.0), fade=((-0.1, 0.2),) * VIEWS,
        hidden=tuple(map(tuple, (0.1 * random.normal(size=(2, width))).tolist())), out=(0.5, -0.7, 0.1),
    )  # fmt: skip
    return Attention(members=NAMES, depth=depth, center=(0.0,) * len(COLUMNS), scale=(1.0,) * len(COLUMNS), nets=(net,))


def whole(seed: int, depth: int, parts: set[str]) -> Blend:
    random = np.random.default_rng(seed)
    return Blend(
        kind="planted", members=NAMES, weights=tuple(map(tuple, random.normal(size=(3, len(FEATURES))).tolist())),
        gate=gate(random) if "gate" in parts else None,
        trees=trees(depth) if "trees" in parts else None,
        attention=attention(random, depth) if "attention" in parts else None,
        reach=0.7 if "reach" in parts else 0.0,
        seats=2 if "seats" in parts else 0,
        host="text" if "seats" in parts else "",
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    depth=st.sampled_from([5, 50]),  # beyond the places that a reach spares: what is sunk ties with the last
    parts=st.sets(st.sampled_from(["gate", "trees", "attention", "reach"])),
    members=st.permutations([*NAMES, "stranger"]).flatmap(
        lambda order: st.integers(1, 4).map(lambda count: tuple(order[:count]))
    ),
)
def test_a_total_is_the_sum_of_its_parts(seed: int, depth: int, parts: set[str], members: tuple[str, ...]) -> None:
    blend, seen = whole(seed, depth, parts), evidence(members, seed)
    wanted = np.where(seen.valid, apply(blend, seen).sum(axis=2), 0)
    np.testing.assert_allclose(np.where(seen.valid, totals(blend, seen), 0), wanted, atol=2e-4)


def test_a_blend_fitted_without_the_absent_member_is_used() -> None:
    other = Blend(kind="other", members=NAMES[:2], weights=((1.0,) * len(FEATURES),) * 2)
    blend = whole(1, 3, {"trees"}).model_copy(update={"without": {POPULARITY: other}})
    seen = evidence(NAMES[:2], 1)
    np.testing.assert_array_equal(totals(blend, seen), totals(other, seen))


@pytest.mark.parametrize("parts", [set(), {"gate", "trees", "attention", "reach"}])
def test_no_question_gives_no_total(parts: set[str]) -> None:
    assert totals(whole(0, 3, parts), evidence(NAMES, 0, n=0)).shape == (0, 9)
