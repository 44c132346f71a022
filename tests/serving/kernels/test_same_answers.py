"""What the compiled loops say is what NumPy says."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
from scipy import sparse

from benchmarks.by_numpy import by_numpy
from benchmarks.made_shop import AS_OF, MadeUsers, made_engine, made_users
from components.common.moments import DAY
from serving import kernels
from serving.arrays import PAD, gather_all, top_k
from serving.breadth import held_back
from serving.calibration import FEATURES, feature_rows
from serving.engine import Engine
from serving.evidence import Evidence
from serving.gate import Gate
from serving.instances import parse
from serving.members.als import Als
from serving.members.history import HistoryWeights
from serving.pool import Pool, union
from serving.queries import DISCOVERY, RECOMMEND
from serving.ranking import contenders, judged
from serving.sparse import SparseRows, Weighted, mixed
from serving.states import UserStates
from serving.trees import head_of, spread

ITEMS, USERS = 3_000, 24
FIELDS: list[dict[str, Any]] = [
    {},
    {"context": {"new_only": True}},
    {"explain": True, "k": 50},
    {"weights": {"als": 2}},
]
Arrays = tuple[Any, ...]

pytestmark = pytest.mark.skipif(not kernels.there, reason="the compiled loops are not there: no C compiler was found")


def same(of: Callable[[], Any], tolerance: float = 0.0) -> None:
    """*of* gives the same, to *tolerance*, by both."""
    compiled = of()
    with by_numpy():
        plain = of()
    pairs = zip(compiled, plain, strict=True) if isinstance(compiled, tuple) else [(compiled, plain)]
    for one, other in pairs:
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def numbers(seed: int, *shape: int) -> npt.NDArray[np.float32]:
    """Numbers of every kind: ties, minus zero, infinities, NaN, very large ones."""
    rng = np.random.default_rng(seed)
    found = rng.normal(size=shape).astype(np.float32)
    if seed % 2:
        found = np.round(found)
    for value in (np.nan, -np.inf, -0.0, 3e38, -3e38):
        found[rng.random(shape) < 0.03] = value
    if seed % 5 == 4:
        found[rng.random(shape) < 0.97] = np.nan
    return found


@pytest.fixture(scope="module")
def engine() -> Engine:
    return made_engine(ITEMS)


@pytest.fixture(scope="module")
def port() -> MadeUsers:
    return made_users(ITEMS, USERS)


@pytest.fixture(scope="module")
def states(port: MadeUsers) -> UserStates:
    """Some users, one of them without a history, one with a single item, one of whom an item is long due."""
    users = port.users
    nobody = UserStates.from_items([[], [7], [11]], AS_OF)
    nobody.counts[1] = 3
    days = np.array([0, DAY], dtype=np.int64)
    nobody = replace(nobody, last_at=nobody.last_at - 300 * days, first_at=nobody.first_at - 302 * days)
    indptr = np.concatenate([users.indptr, users.indptr[-1] + nobody.indptr[1:]])
    items, last, first, counts, now = (
        np.concatenate([getattr(users, name), getattr(nobody, name)])
        for name in ("items", "last_at", "first_at", "counts", "as_of")
    )
    return UserStates(("",) * (USERS + 3), indptr, items, last, first, counts, now)


@pytest.fixture(scope="module")
def pool(engine: Engine, states: UserStates) -> Pool:
    return engine.pool(engine.queries(RECOMMEND, states), DISCOVERY)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(("width", "k"), [(1, 1), (30, 50), (280, 10), (1_000, 100), (16_001, 100), (5_000, 0)])
def test_the_best_of_a_row(seed: int, width: int, k: int) -> None:
    scores = numbers(seed, 3, width)
    scores[scores == np.inf] = 0
    same(lambda: top_k(scores, k))


@pytest.mark.parametrize("seed", range(10))
def test_features(seed: int) -> None:
    scores = numbers(seed, 4, 300, 5)
    scores[1, :, 2] = 1.5  # all tie
    scores[2, :, 3] = np.nan  # nothing scored
    valid = np.random.default_rng(seed).random((4, 300)) < 0.9
    valid[3] = False
    same(lambda: feature_rows(scores, valid))


@pytest.mark.parametrize("seed", range(5))
def test_candidates(seed: int) -> None:
    rng = np.random.default_rng(seed)
    channels = [rng.integers(-1, ITEMS, (6, size), dtype=np.int32) for size in (1, 40, 100)]
    channels[1][2] = channels[2][2, :40] = channels[0][2] = PAD
    same(lambda: union(channels, ITEMS))
    rows = [numbers(seed + one, 6, ITEMS) for one in range(3)]
    same(lambda: gather_all(rows, union(channels, ITEMS)))


def test_context_and_traces(engine: Engine, states: UserStates, pool: Pool) -> None:
    met = np.full((len(states), 60), PAD, dtype=np.int32)  # what a user has met is no candidate of discovery
    met[states.row_of, np.arange(len(states.items)) - states.indptr[states.row_of]] = states.items
    same(lambda: engine.context.read(states, np.concatenate([pool.candidates, met], axis=1)), 1e-6)

    def recent() -> Arrays:
        traces = engine.context.traces(states, pool.candidates)
        assert traces is not None
        return traces.items, traces.marks

    same(recent, 1e-6)


def test_the_blend_in_all_its_steps(engine: Engine, pool: Pool) -> None:
    assert engine.fusion is not None
    blend, evidence = engine.fusion.blend(DISCOVERY), pool.evidence
    same(lambda: judged(pool, blend).total, 1e-4)
    total = np.where(pool.valid, judged(pool, blend).total, np.float32(-np.inf))
    same(lambda: head_of(evidence, total, 50))
    same(lambda: head_of(evidence, np.round(total).astype(np.float32), 10_000))
    same(lambda: held_back(evidence, total), 1e-6)
    same(lambda: contenders(total, pool.valid, 10))
    order, columns = head_of(evidence, total, 50)
    traces = engine.context.traces(pool.states, pool.candidates) if pool.states else None
    assert blend.trees is not None
    assert blend.attention is not None
    assert traces is not None
    trees, attention, seen = blend.trees, blend.attention, traces.of_places(order)
    same(lambda: attention.added(columns, seen), 1e-5)
    same(lambda: trees.summed(columns))
    same(lambda: trees.flat.attribute(columns.reshape(-1, columns.shape[2])), 1e-6)
    added = attention.added(columns, seen)
    same(lambda: spread(total, order, added))


@pytest.mark.parametrize("kept", [slice(None), slice(3), slice(1, 2)])
def test_parts_of_what_is_shown(engine: Engine, pool: Pool, kept: slice) -> None:
    assert engine.fusion is not None
    blend = engine.fusion.blend(DISCOVERY)
    rng = np.random.default_rng(0)
    places = rng.integers(0, pool.candidates.shape[1], (len(pool.candidates), 20))
    whole = pool.evidence
    evidence = Evidence(whole.members[kept], whole.scores[:, :, kept], whole.valid, whole.context, whole.traces)
    some = Pool(pool.candidates, evidence.scores, evidence.members, {}, pool.context, pool.traces)
    same(lambda: judged(some, blend).parts(places), 2e-4)


@pytest.mark.parametrize("inputs", [("history",), ("history", "recency"), ("history", "price")])
@pytest.mark.parametrize("activation", ["tanh", "step"])
@pytest.mark.parametrize("units", [1, 8, 13])
def test_gates_of_the_user_alone_and_of_the_candidate(
    engine: Engine, pool: Pool, inputs: tuple[str, ...], activation: Literal["tanh", "step"], units: int
) -> None:
    assert engine.fusion is not None
    assert pool.context is not None
    blend, rng = engine.fusion.blend(DISCOVERY), np.random.default_rng(units)
    width = len(blend.members) * len(FEATURES)
    hidden, out = rng.normal(size=(units, len(inputs) + 1)), rng.normal(0, 0.1, (units, width))
    gate = Gate(
        inputs=inputs, center=(1.0,) * len(inputs), scale=(2.0,) * len(inputs), activation=activation,
        hidden=tuple(map(tuple, hidden.tolist())), out=tuple(map(tuple, out.tolist())),
    )  # fmt: skip
    gated = blend.model_copy(update={"gate": gate, "trees": None, "attention": None, "reach": 0.0, "seats": 0})
    turned = replace(  # padding before the candidates: what is about the user is not read off it
        pool, candidates=pool.candidates[:, ::-1].copy(), scores=pool.scores[:, ::-1].copy(),
        context=pool.context[:, ::-1].copy(), traces=None,
    )  # fmt: skip
    assert (turned.candidates[:, 0] == PAD).any()
    for asked in (pool, turned):
        same(lambda asked=asked: np.where(asked.valid, judged(asked, gated).total, 0), 2e-5)  # type: ignore[misc]
        places = np.broadcast_to(np.arange(0, 40, 2), (len(pool.candidates), 20))
        same(lambda asked=asked, at=places: judged(asked, gated).parts(at), 2e-5)  # type: ignore[misc]


def test_trees_of_values_that_are_thresholds(engine: Engine) -> None:
    assert engine.fusion is not None
    trees = engine.fusion.blend(DISCOVERY).trees
    assert trees is not None
    columns = np.zeros((50, int(trees.flat.feature.max()) + 1), dtype=np.float32)
    nodes = np.random.default_rng(0).permutation(len(trees.flat.feature))[:1_000]
    columns[np.arange(1_000) % 50, trees.flat.feature[nodes]] = trees.flat.threshold[nodes, 0]
    same(lambda: trees.flat.sum(columns))
    same(lambda: trees.flat.attribute(columns), 1e-6)


def test_trees_where_no_member_says_anything(engine: Engine, pool: Pool) -> None:
    assert engine.fusion is not None
    blend = engine.fusion.blend(DISCOVERY)
    silent = blend.model_copy(update={"weights": tuple((0.0,) * len(row) for row in blend.weights), "gate": None})
    places = np.broadcast_to(np.arange(20), (len(pool.candidates), 20))
    same(lambda: judged(pool, silent).parts(places), 1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_corrected_stays_above_the_rest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    total = rng.normal(size=(3, 40)).astype(np.float32)
    total[1, 5:] = total[2, :] = -np.inf
    order = np.argsort(-total, axis=1, kind="stable")[:, :10]
    added = rng.normal(0, 3 * (seed % 2), (3, 10)).astype(np.float32)
    same(lambda: spread(total, order, added))


@pytest.mark.parametrize("members", [3, 6])
def test_parts_sum_to_the_score(engine: Engine, pool: Pool, members: int) -> None:
    assert engine.fusion is not None
    verdict = judged(
        Pool(pool.candidates, pool.scores[..., :members], pool.members[:members], {}, pool.context, pool.traces),
        engine.fusion.blend(DISCOVERY),
    )
    places = np.broadcast_to(np.arange(pool.candidates.shape[1]), pool.candidates.shape)
    sums = np.where(pool.valid, verdict.parts(places).sum(axis=2), 0)
    np.testing.assert_allclose(sums, np.where(pool.valid, verdict.total, 0), atol=2e-5)


def test_vectors(states: UserStates) -> None:
    rng = np.random.default_rng(1)
    factors, known = rng.normal(size=(ITEMS, 33)).astype(np.float32), rng.random(ITEMS) < 0.9
    weights = rng.random(len(states.items)).astype(np.float32)
    same(lambda: mixed(Weighted(states.indptr, states.items, weights), factors), 1e-5)
    member = Als(factors, known, HistoryWeights(half_life=30.0), 10.0, 1.0)
    same(lambda: member.fold_in(states), 1e-5)


def test_sums_of_sparse_rows_in_every_bit(states: UserStates) -> None:
    rng = np.random.default_rng(1)
    matrix = sparse.random(ITEMS, 700, 0.02, format="csr", dtype=np.float32, rng=rng)
    matrix.data[::3] *= -1
    weights = rng.random(len(states.items)).astype(np.float32)
    same(lambda: SparseRows(matrix).summed(Weighted(states.indptr, states.items, weights)))


@pytest.mark.parametrize("fields", FIELDS)
def test_whole_answers(engine: Engine, port: MadeUsers, fields: dict[str, Any]) -> None:
    asked = [parse({"scenario": "recommend", "user_id": str(user)} | fields) for user in range(USERS)]

    def shown() -> list[list[str]]:
        answers = engine.answer(asked, port, engine.as_of)
        return [[item["item_id"] for item in answer["items"]] for answer in answers]

    compiled = shown()
    with by_numpy():
        assert shown() == compiled


def test_one_alone_is_answered_as_in_a_batch(engine: Engine, port: MadeUsers) -> None:
    asked = [parse({"scenario": "recommend", "user_id": str(user), "k": 20}) for user in range(USERS)]
    batch = engine.answer(asked, port, engine.as_of)
    for one, other in zip(asked, batch, strict=True):
        alone = engine.answer([one], port, engine.as_of)[0]
        assert [item["item_id"] for item in alone["items"]] == [item["item_id"] for item in other["items"]]
        gaps = [abs(a["score"] - b["score"]) for a, b in zip(alone["items"], other["items"], strict=True)]
        assert max(gaps) < 1e-6
