"""What passes between the steps: as it was, or refused."""

import base64
import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from serving.graph.question import Batch, Question, batches_of
from serving.graph.wire import joined, keys, packed, queries_in, queries_out, states_in, unpacked
from serving.instances import RequestError, parse_all
from serving.queries import Queries
from serving.states import UserStates

N_ITEMS = 9


def states(seed: int = 0, n: int = 4) -> UserStates:
    random = np.random.default_rng(seed)
    sizes = random.integers(0, 5, n)
    total = int(sizes.sum())
    times = random.integers(0, 2**53, (2, total))
    return UserStates(
        tuple(f"user {row}" for row in range(n)),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        random.integers(0, N_ITEMS, total).astype(np.int32),
        times[0],
        times[1],
        random.random(total).astype(np.float32),
        np.full(n, 2**62, dtype=np.int64),
        tuple('{"a": "\\u00e9"}' for _ in range(n)),
    )


def same(one: UserStates, other: UserStates) -> bool:
    arrays = ("indptr", "items", "last_at", "first_at", "counts", "as_of")
    return one.profiles == other.profiles and all(
        (getattr(one, name) == getattr(other, name)).all() and getattr(one, name).dtype == getattr(other, name).dtype
        for name in arrays
    )


def batch() -> Queries:
    vectors = np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32)
    vectors[2] = np.nan
    return Queries("search", states(), ("a", "", "\u4e2d", "<b>"), vectors, None)


def test_a_batch_arrives_to_the_bit_without_saying_who_asks() -> None:
    told = queries_out(batch())
    assert "user 1" not in json.dumps(told)
    heard = queries_in(json.loads(json.dumps(told)), N_ITEMS)
    assert same(heard.states, batch().states)
    assert heard.states.user_ids == ("",) * 4
    assert (heard.scenario, heard.texts, heard.image_vectors) == ("search", batch().texts, None)
    np.testing.assert_array_equal(heard.text_vectors, batch().text_vectors)
    assert keys(heard) == keys(batch())


def other_profiles(told: UserStates) -> dict[str, Any]:
    return {"profiles": ("{}",) * len(told)}


CHANGED: list[Callable[[UserStates], dict[str, Any]]] = [
    lambda told: {"as_of": told.as_of - 1},
    lambda told: {"items": (told.items + 1) % N_ITEMS},
    lambda told: {"last_at": told.last_at + 1},
    lambda told: {"first_at": told.first_at + 1},
    lambda told: {"counts": told.counts + 1},
    other_profiles,
]


@pytest.mark.parametrize("change", CHANGED)
def test_a_key_knows_all_of_a_history(change: Callable[[UserStates], dict[str, Any]]) -> None:
    told = states()
    other = replace(told, **change(told))
    changed = [
        one != two for one, two in zip(keys(Queries("bundle", told)), keys(Queries("bundle", other)), strict=True)
    ]
    full = (told.sizes > 0) | ("as_of" in change(told)) | ("profiles" in change(told))
    assert changed == full.tolist()


def test_a_key_knows_the_question_and_not_its_place() -> None:
    first, one = batch(), np.array([2])
    assert first.text_vectors is not None
    assert len(set(keys(first))) == 4
    others = [
        replace(first, scenario="recommend"),
        replace(first, texts=("b", "c", "d", "e")),
        replace(first, text_vectors=first.text_vectors + 1),
        replace(first, image_vectors=first.text_vectors),
    ]
    for other in others[:2] + others[3:]:
        assert not set(keys(first)) & set(keys(other))
    assert sum(mine == theirs for mine, theirs in zip(keys(first), keys(others[2]), strict=True)) == 1  # NaN stays NaN
    alone = Queries("search", first.states.take(one), ("\u4e2d",), first.text_vectors[one])
    assert keys(alone) == keys(first)[2:3]


def test_users_of_several_lookups_are_joined() -> None:
    parts = [states().take(np.array([row])) for row in range(4)]
    assert same(joined(parts), states())
    assert joined(parts).user_ids == states().user_ids


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("items", packed(np.array([N_ITEMS], dtype=np.int32))),
        ("items", packed(np.array([-1], dtype=np.int32))),
        ("items", packed(np.zeros(3, dtype=np.int64))),
        ("indptr", packed(np.array([0, 2, 1, 1, 1], dtype=np.int64))),
        ("counts", packed(np.zeros(1, dtype=np.float32))),
        ("as_of", packed(np.zeros(3, dtype=np.int64))),
        ("counts", "%%%"),
        ("counts", None),
        ("profiles", ["{}"]),
    ],
)
def test_histories_that_do_not_fit_are_refused(name: str, value: Any) -> None:
    told = queries_out(batch())["states"] | {name: value}
    with pytest.raises(RequestError):
        states_in(told, N_ITEMS)


def test_an_array_of_objects_is_never_read() -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(RequestError):
        unpacked(base64.b64encode(buffer.getvalue()).decode(), np.float32, 1)


def test_a_question_arrives_as_it_was() -> None:
    instances = parse_all([{"scenario": "search", "query": "\u4e2d <b>", "filters": {"price": [0.1, 1e9]}, "k": 7}])
    vector = np.array([1.5, np.nan], dtype=np.float32)
    asked, old = [Batch(batch(), ("a", "b"))], frozenset({"user 1"})
    question = Question("r", 2**61, instances, asked, states(), True, old, {"t": vector})
    heard = Question.of(question.out(), N_ITEMS)
    assert (heard.id, heard.release, heard.as_of, heard.instances) == (question.id, "r", 2**61, instances)
    assert (heard.lost, heard.stale, heard.batches[0].members) == (True, old, ("a", "b"))
    np.testing.assert_array_equal(heard.texts["t"], vector)
    assert heard.users is not None
    assert same(heard.users, states())
    assert heard.users.user_ids == states().user_ids


@pytest.mark.parametrize("name", ["question", "members", "id"])
@pytest.mark.parametrize("value", [None, "", "[]", "[[1]]", 5])
def test_a_question_that_is_not_whole_is_refused(name: str, value: Any) -> None:
    told = Question("r", 0, parse_all([{"scenario": "recommend"}]), [Batch(batch(), ("a",))]).out()
    if name == "id":
        del told["id"]
    else:
        told[name] = value
    if (name, value) != ("members", "[]"):
        with pytest.raises(RequestError):
            Question.of(told, N_ITEMS)
    else:
        assert batches_of(told, N_ITEMS) == []
