"""Trees: hand-walked answers, exact attribution, order kept below the corrected."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from serving.blend import FEATURES, Blend
from serving.context import CONTEXT
from serving.evidence import Evidence
from serving.trees import UNKNOWN, Tree, Trees, columns_of
from serving.verdict import apply

NAMES = ("als", "text")
COLUMNS = columns_of(NAMES)
LEAF = Tree(feature=(), threshold=(), left=(), right=(), values=(), leaves=(0.5,))


def split(column: str, threshold: float, low: float, high: float, mean: float = 0.0) -> Tree:
    return Tree(
        feature=(COLUMNS.index(column),), threshold=(threshold,), left=(-1,), right=(-2,), values=(mean,),
        leaves=(low, high),
    )  # fmt: skip


DEEP = Tree(  # score:als <= 2 ? (history <= 1 ? 1 : 3) : (linear <= 0 ? 5 : (score:text <= 7 ? 8 : 9))
    feature=tuple(COLUMNS.index(name) for name in ("score:als", "history", "linear", "score:text")),
    threshold=(2.0, 1.0, 0.0, 7.0),
    left=(1, -1, -3, -4),
    right=(2, -2, 3, -5),
    values=(4.0, 2.0, 7.0, 8.5),
    leaves=(1.0, 3.0, 5.0, 8.0, 9.0),
)


def walk(tree: Tree, row: np.ndarray) -> tuple[float, dict[str, float]]:
    """Value of the leaf that *row* reaches, and what each column changed on the way."""
    if not tree.feature:
        return 0.0, {}
    node, changed = 0, dict.fromkeys(COLUMNS, 0.0)
    while True:
        column = tree.feature[node]
        child = tree.left[node] if row[column] <= np.float32(tree.threshold[node]) else tree.right[node]
        value = tree.leaves[~child] if child < 0 else tree.values[child]
        changed[COLUMNS[column]] += value - tree.values[node]
        if child < 0:
            return value - tree.values[0], changed
        node = child


def rows(n: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    found = random.normal(size=(n, len(COLUMNS))).astype(np.float32) * 3 + 2
    found[random.random(found.shape) < 0.1] = UNKNOWN
    return found


@given(st.integers(0, 1000))
def test_every_row_reaches_its_leaf_and_each_owner_gets_what_its_columns_changed(seed: int) -> None:
    trees = (DEEP, split("rank:text", 1.5, -1.0, 2.0, 0.5), LEAF)
    asked = rows(20, seed)
    found = Trees(members=NAMES, trees=trees).flat.attribute(asked)
    for row, parts in zip(asked, found, strict=True):
        walked = [walk(tree, row) for tree in trees]
        assert parts.sum() == pytest.approx(sum(value for value, _ in walked), abs=1e-5)
        changes = {name: sum(changed.get(name, 0.0) for _, changed in walked) for name in COLUMNS}
        own = [sum(value for name, value in changes.items() if name.endswith(f":{member}")) for member in NAMES]
        linear, context = changes["linear"] + changes["behind"], sum(changes[name] for name in CONTEXT)
        np.testing.assert_allclose(parts, [*own, linear, context], atol=1e-5)


def evidence(n: int = 2, c: int = 8, seed: int = 0) -> Evidence:
    random = np.random.default_rng(seed)
    scores = random.normal(size=(n, c, 2)).astype(np.float32) * 4
    scores[random.random(scores.shape) < 0.2] = np.nan
    valid = np.ones((n, c), bool)
    valid[:, -1] = False
    return Evidence(NAMES, scores, valid, random.random((n, c, len(CONTEXT))).astype(np.float32) * 2)


def blend(trees: Trees | None, **changes: object) -> Blend:
    weights = tuple((weight, *(0.0,) * (len(FEATURES) - 1)) for weight in (0.7, 0.3))
    return Blend(kind="stacker", members=NAMES, weights=weights, trees=trees, **changes)


@given(st.integers(0, 200), st.integers(1, 9))
def test_the_uncorrected_keep_their_order_below_the_corrected(seed: int, depth: int) -> None:
    seen = evidence(seed=seed)
    trees = Trees(members=NAMES, depth=depth, trees=(DEEP, split("behind", -0.2, -3.0, 3.0)))
    before = apply(blend(None), seen).sum(axis=2)
    after = apply(blend(trees), seen).sum(axis=2)
    for row in range(2):
        order = np.argsort(-np.where(seen.valid[row], before[row], -np.inf), kind="stable")[:7]
        head, tail = after[row, order[:depth]], after[row, order[depth:]]
        if len(tail):
            assert head.min() >= tail.max() - 1e-4
            np.testing.assert_allclose(np.diff(tail), np.diff(before[row, order[depth:]]), atol=1e-4)


def test_parts_sum_to_the_score_and_padding_gets_none() -> None:
    seen = evidence()
    trees = Trees(members=NAMES, trees=(DEEP,))
    parts = apply(blend(trees), seen)
    assert parts.shape == (2, 8, 3)
    assert not parts[:, -1].any()
    linear = apply(blend(None), seen).sum(axis=2)
    columns = {name: place for place, name in enumerate(COLUMNS)}
    row = np.full(len(COLUMNS), 0.0, np.float32)
    row[columns["score:als"]] = seen.scores[0, 0, 0] if np.isfinite(seen.scores[0, 0, 0]) else UNKNOWN
    row[columns["score:text"]] = seen.scores[0, 0, 1] if np.isfinite(seen.scores[0, 0, 1]) else UNKNOWN
    row[columns["linear"]], row[columns["history"]] = linear[0, 0], seen.context[0, 0, 0]
    assert parts[0, 0].sum() == pytest.approx(linear[0, 0] + walk(DEEP, row)[0], abs=1e-5)


def test_an_absent_member_takes_the_trees_fitted_without_it_or_none() -> None:
    seen = evidence()
    whole = Trees(members=NAMES, trees=(DEEP,))
    names = columns_of(("als",))
    lone = Tree(
        feature=(names.index("rank:als"),), threshold=(1.5,), left=(-1,), right=(-2,), values=(0.0,), leaves=(9.0, 0.0)
    )
    rest = Trees(members=("als",), trees=(lone,))
    row = (0.7, *(0.0,) * (len(FEATURES) - 1))
    served = blend(whole, without={"text": Blend(kind="stacker", members=("als",), weights=(row,), trees=rest)})
    parts = apply(served, seen.of(("als",)))
    best = np.nanargmax(np.where(seen.valid[0], seen.scores[0, :, 0], np.nan))
    assert parts[0, best].sum() > 8
    assert apply(blend(whole), seen.of(("als",))).sum(axis=2).max() < 2


@pytest.mark.parametrize(
    "changes",
    [
        {"leaves": (1.0, 2.0, 3.0)},
        {"left": (-2,)},
        {"right": (0,)},
        {"threshold": ()},
        {"values": (float("nan"),)},
    ],
)
def test_what_is_no_tree_is_refused(changes: dict[str, object]) -> None:
    good = split("linear", 0.0, 1.0, 2.0).model_dump()
    Tree(**good)
    with pytest.raises(ValidationError):
        Tree(**good | changes)


def test_trees_of_another_shape_are_refused() -> None:
    beyond = split("linear", 0.0, 1.0, 2.0).model_copy(update={"feature": (len(COLUMNS),)})
    with pytest.raises(ValidationError, match="beyond"):
        Trees(members=NAMES, trees=(beyond,))
    with pytest.raises(ValidationError, match="context"):
        Trees(members=NAMES, context=("history",), trees=())
    with pytest.raises(ValidationError, match="trees read"):
        blend(Trees(members=("als",), trees=()))


def test_what_equals_a_threshold_goes_left() -> None:
    tree = split("linear", 0.1, 1.0, 2.0)  # 0.1 lies between two float32: the lower goes left, the higher right
    rows = np.zeros((3, len(COLUMNS)), np.float32)
    low = np.nextafter(np.float32(0.1), np.float32(0))
    rows[:, COLUMNS.index("linear")] = low, np.float32(0.1), np.float32(0.2)
    found = Trees(members=NAMES, trees=(tree, split("linear", float(low), 10.0, 20.0))).flat.attribute(rows).sum(axis=1)
    assert found.tolist() == [11.0, 22.0, 22.0]
