"""What members say without scoring everything, against their whole rows."""

from collections.abc import Iterator

import numpy as np
import pytest

from benchmarks.made_shop import AS_OF, MadeUsers, made_engine, made_users
from components.package.index import index_of, questions
from serving import kernels
from serving.arrays import PAD, Floats, Ints
from serving.engine import RECALL, Engine
from serving.hidden import Hidden
from serving.instances import parse
from serving.members import dense
from serving.members.codes import Coded
from serving.members.dense import INDEXED, Dense, Near
from serving.members.sums import Sums
from serving.opinion import Ordered, Rows, ordered
from serving.queries import RECOMMEND, SIMILAR, Queries
from serving.states import UserStates

ITEMS, USERS, K = 6_000, 40, 100
LARGE_SHOP = 60_000
NAMES = ("als", "attributes", "cooccurrence", "item_knn", "pca", "popularity")


@pytest.fixture(scope="module", params=[0, INDEXED], ids=["by index", "by codes"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A shop whose members do with indexes, or without them, though it is small; items share their attributes."""
    with pytest.MonkeyPatch.context() as fewer:
        fewer.setattr("benchmarks.made_shop.CARRIED", 2)
        fewer.setattr("benchmarks.made_shop.BANDS", 2)
        fewer.setattr("serving.members.dense.INDEXED", request.param)
        engine = made_engine(ITEMS)
        users = made_users(ITEMS, 60, seed=5).users
        for member in engine.members.values():
            if isinstance(member, Dense):
                member.index = index_of(member, questions(member, users, 0), 0)
            member.ready()
        engine.large = True
        yield engine


@pytest.fixture(scope="module")
def port() -> MadeUsers:
    return made_users(ITEMS, USERS)


def asked(engine: Engine, port: MadeUsers, scenario: str) -> tuple[Queries, Hidden]:
    """Users, one of whom nothing is known, or single items; with what rules hide, and a block of their own."""
    if scenario == SIMILAR:
        states = UserStates.from_items([[5], [17, 4_000], []], AS_OF)
    else:
        users = [port.users.take(np.arange(USERS)), UserStates.from_items([[]], AS_OF)]
        states = UserStates(
            ("",) * (USERS + 1),
            np.append(users[0].indptr, users[0].indptr[-1]),
            users[0].items, users[0].last_at, users[0].first_at, users[0].counts,
            np.full(USERS + 1, AS_OF, dtype=np.int64),
        )  # fmt: skip
    queries = engine.queries(scenario, states)
    found = engine.rulebook.hidden(engine.task(scenario), states)
    block = (np.array([0, 2]), np.arange(ITEMS) % 5 == 0)
    return queries, Hidden(found.everywhere, found.rows, (block,), found.pairs)


def scored(rows: Floats, chosen: Ints) -> list[set[int]]:
    return [set(row[row != PAD].tolist()) for row in chosen]


@pytest.mark.parametrize("scenario", [RECOMMEND, SIMILAR])
@pytest.mark.parametrize("name", NAMES)
def test_an_opinion_is_what_whole_rows_say(engine: Engine, port: MadeUsers, name: str, scenario: str) -> None:
    member, (queries, hidden) = engine.members[name], asked(engine, port, scenario)
    whole = Rows.masked(member.score_all(queries), hidden)
    brief = member.opinion(queries, hidden)
    assert brief is not None
    assert not isinstance(brief, Rows)
    best, expected = brief.best(K), whole.best(K)
    if isinstance(brief, Near):
        shares = [
            len(one & other) / len(other)
            for one, other in zip(scored(whole.scores, best), scored(whole.scores, expected), strict=True)
            if other
        ]
        assert np.mean(shares) >= 0.99
    else:
        np.testing.assert_array_equal(best, expected)
    candidates = np.where(best == PAD, 0, best)[:, ::3]
    candidates[:, 0] = PAD
    candidates[:, 1] = np.arange(len(candidates))
    shown = ~hidden.at(candidates)
    np.testing.assert_array_equal(brief.hides(candidates)[:, 1:], whole.hides(candidates)[:, 1:])
    np.testing.assert_allclose(
        brief.at(candidates)[shown], whole.at(candidates)[shown], rtol=1e-5, atol=1e-6, equal_nan=True
    )
    assert np.isnan(brief.at(candidates)[:, 0]).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_question_is_answered_alone_as_among_others(engine: Engine, port: MadeUsers, name: str) -> None:
    queries, hidden = asked(engine, port, RECOMMEND)
    member, n = engine.members[name], len(queries.states)
    together = member.opinion(queries, hidden)
    assert together is not None
    best = together.best(K)
    for row in range(n):
        alone = member.opinion(Queries(RECOMMEND, queries.states.take(np.array([row]))), hidden.of(row, n))
        assert alone is not None
        np.testing.assert_array_equal(alone.best(K)[0], best[row][: alone.best(K).shape[1]])
        np.testing.assert_array_equal(alone.at(best[row : row + 1])[0], together.at(best)[row])


def test_an_index_is_read_where_it_is_less_than_all_items(engine: Engine, port: MadeUsers) -> None:
    queries, hidden = asked(engine, port, RECOMMEND)
    many = dense.INDEXED == 0 or not kernels.scans
    for name in ("als", "pca"):
        assert isinstance(engine.members[name].opinion(queries, hidden), Near if many else Coded)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_hidden_is_among_the_best(engine: Engine, port: MadeUsers, name: str) -> None:
    queries, hidden = asked(engine, port, RECOMMEND)
    brief = engine.members[name].opinion(queries, hidden)
    assert brief is not None
    best = brief.best(K)
    assert not hidden.at(best)[best != PAD].any()


def items_of(engine: Engine, port: MadeUsers, instance: dict[str, object]) -> list[str]:
    found = engine.answer([parse(instance)], port, AS_OF)[0]
    return [item["item_id"] for item in found["items"]]


def test_answers_of_a_large_shop_are_those_of_whole_rows() -> None:
    engine, port = made_engine(LARGE_SHOP), made_users(LARGE_SHOP, USERS)
    assert engine.large
    asks: list[dict[str, object]] = [{"scenario": "recommend", "user_id": str(user), "k": 10} for user in range(USERS)]
    asks += [{"scenario": "similar", "item_id": f"i{row}", "k": 10} for row in range(0, LARGE_SHOP, LARGE_SHOP // 60)]
    asks.append({"scenario": "recommend", "k": 10})
    brief = [items_of(engine, port, ask) for ask in asks]
    engine.large = False
    whole = [items_of(engine, port, ask) for ask in asks]
    assert np.mean([one == other for one, other in zip(brief, whole, strict=True)]) >= 0.99
    for user, items in enumerate(brief[:USERS]):
        met = {engine.catalogue.ids[row] for row in port.users.take(np.array([user])).items}
        assert not met & set(items)
        assert engine.catalogue.available[engine.catalogue.index(items)].all()


def test_filters_ask_for_whole_rows(engine: Engine, port: MadeUsers) -> None:
    queries, _ = asked(engine, port, RECOMMEND)
    task = engine.task(RECOMMEND)
    free, _ = engine.bearable_scores(queries, task)
    held, _ = engine.bearable_scores(queries, task, np.arange(ITEMS) % 2 == 0)
    assert not any(isinstance(opinion, Rows) for opinion in free.values())
    assert all(isinstance(opinion, Rows) for opinion in held.values())
    ask = {"scenario": "recommend", "user_id": "3", "k": 10, "filters": {"category": "top3"}}
    brief = items_of(engine, port, ask)
    engine.large = False
    assert brief == items_of(engine, port, ask)
    engine.large = True
    assert len(brief) == 10


def test_a_member_that_raises_is_left_out(engine: Engine, port: MadeUsers, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a fault inside the member")

    monkeypatch.setattr(type(engine.members["als"]), "opinion", broken)
    found = engine.answer([parse({"scenario": "recommend", "user_id": "3", "k": 10})], port, AS_OF)[0]
    assert found["degraded"] == ["member:als"]
    assert len(found["items"]) == 10


def test_where_an_index_finds_too_few_all_are_scored(engine: Engine, port: MadeUsers) -> None:
    queries = engine.queries(RECOMMEND, port.users.take(np.arange(2)))
    everything = np.ones(ITEMS, dtype=bool)
    everything[[7, 70, 700]] = False
    hidden = Hidden(everything, np.flatnonzero(everything))
    member = engine.members["pca"]
    brief = member.opinion(queries, hidden)
    assert brief is not None
    np.testing.assert_array_equal(brief.best(K), Rows.masked(member.score_all(queries), hidden).best(K))


def test_zeros_come_between_what_speaks_for_and_against() -> None:
    touched = [(np.array([1, 3, 4, 6], dtype=np.int32), np.array([-1.0, 2.0, 0.0, 2.0], dtype=np.float32))]
    known = np.array([True, True, True, True, True, False, True, True])
    rest = np.flatnonzero(known).astype(np.int32)
    hidden = Hidden(np.arange(8) == 2, np.array([2]))
    opinion = Sums([*touched, (np.empty(0, np.int32), np.empty(0, np.float32))], known, rest, hidden)
    assert opinion.best(8).tolist() == [[3, 6, 0, 4, 7, 1, PAD, PAD], [PAD] * 8]
    assert Sums(touched, known, None, hidden).best(8).tolist() == [[3, 6, 1, PAD, PAD, PAD, PAD, PAD]]
    assert opinion.at(np.array([[1, 5, 0], [1, 5, 0]], dtype=np.int32))[0].tolist()[::2] == [-1.0, 0.0]


def test_a_known_order_passes_over_what_is_hidden() -> None:
    scores = np.array([1.0, 3.0, np.nan, 3.0, 2.0], dtype=np.float32)
    hidden = Hidden(np.zeros(5, dtype=bool), np.empty(0, np.int64), (), ((np.array([1]), np.array([3], np.int32)),))
    opinion = Ordered(scores, ordered(scores), hidden, 2)
    assert opinion.best(3).tolist() == [[1, 3, 4], [1, 4, 0]]
    assert opinion.best(RECALL).tolist() == [[1, 3, 4, 0], [1, 4, 0, PAD]]
