"""Requests that hang, wait for too long, or fail, in a lane with planted work."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from serving.admission import LEAST, MOST, Admission, BusyError
from serving.breaker import Breakers, SkippedError
from serving.deadline import FEATURES, Split, part
from serving.instances import RequestError
from serving.lane import Lane

SPLIT = Split(0.8)  # a part that hangs is found after .2 s, a turn that does not come after .4 s


@pytest.fixture
def breakers() -> Breakers:
    return Breakers(lambda _name, _open: None)


@pytest.fixture
def lane(breakers: Breakers) -> Lane:
    return Lane("test", SPLIT, breakers)


@pytest.fixture
def hanging() -> Iterator[threading.Event]:
    """What hangs waits for it; set when the test is over."""
    event = threading.Event()
    yield event
    event.set()


def ask(parts: dict[str, Callable[[], Any]]) -> dict[str, Any]:
    """What every part says, None where it was done without."""
    said: dict[str, Any] = {}
    for name, work in parts.items():
        try:
            with part(name):
                said[name] = work()
        except SkippedError:
            said[name] = None
    return said


def timed(lane: Lane, *works: Callable[[], Any]) -> tuple[list[Any], float]:
    async def run() -> list[Any]:
        return await asyncio.gather(*(lane.run(work) for work in works), return_exceptions=True)

    began = time.monotonic()
    return asyncio.run(run()), time.monotonic() - began


def test_what_is_well_is_answered_in_turn_and_in_one_thread(lane: Lane) -> None:
    order: list[int] = []
    threads: set[int] = set()

    def work(number: int) -> int:
        order.append(number)
        threads.add(threading.get_ident())
        return number * number

    answers, _ = timed(lane, *(lambda n=n: work(n) for n in range(20)))
    assert answers == [n * n for n in range(20)]
    assert order == list(range(20))
    assert len(threads) == 1
    assert threads != {threading.get_ident()}


def test_a_part_that_hangs_is_done_without_in_time_and_left_alone_by_those_behind(
    lane: Lane, hanging: threading.Event, breakers: Breakers
) -> None:
    calls: list[str] = []

    def store() -> None:
        calls.append("store")
        hanging.wait()

    parts = {"a": lambda: 1, FEATURES: store, "b": lambda: 2}
    answers, seconds = timed(lane, *[lambda: ask(parts)] * 8)
    assert answers == [{"a": 1, FEATURES: None, "b": 2}] * 8
    assert seconds < SPLIT.deadline
    assert calls == ["store"]
    assert breakers[FEATURES].state == "open"
    hanging.set()
    answers, seconds = timed(lane, lambda: ask({"a": lambda: 3}))
    assert answers == [{"a": 3}]


def test_two_parts_that_hang_are_both_done_without(lane: Lane, hanging: threading.Event) -> None:
    parts = {"a": hanging.wait, "b": lambda: 2, "c": hanging.wait}
    answers, seconds = timed(lane, lambda: ask(parts))
    assert answers == [{"a": None, "b": 2, "c": None}]
    assert seconds < SPLIT.deadline


def test_a_part_that_raises_five_times_is_left_alone_but_a_bad_request_is_no_failure(
    lane: Lane, breakers: Breakers
) -> None:
    def broken() -> None:
        raise OSError("no such store")

    def refuse() -> None:
        raise RequestError("no such field")

    for work, state in ((refuse, "closed"), (broken, "open")):
        answers, _ = timed(lane, *[lambda work=work: ask({"part": work})] * 5)
        assert len(answers) == 5
        assert all(isinstance(answer, OSError | RequestError) for answer in answers)
        assert breakers["part"].state == state
    assert timed(lane, lambda: ask({"part": broken}))[0] == [{"part": None}]


def test_slow_answers_of_the_store_are_taken_but_after_five_it_is_left_alone(lane: Lane, breakers: Breakers) -> None:
    def work() -> str:
        with part(FEATURES, hurried=True):
            time.sleep(SPLIT.slow * 1.1)
            return "row"

    for _ in range(5):
        assert timed(lane, work)[0] == ["row"]
    assert breakers[FEATURES].state == "open"


def test_once_the_time_is_over_only_what_is_needed_is_asked(lane: Lane) -> None:
    def work() -> list[str]:
        time.sleep(SPLIT.deadline - SPLIT.part)  # no part: nothing that could be done without
        asked: list[str] = []
        for name in ("a", "b"):
            try:
                with part(name, needed=not asked):
                    asked.append(name)
            except SkippedError:
                pass
        return asked

    assert timed(lane, work)[0] == [["a"]]


def test_a_turn_that_does_not_come_is_refused_and_its_work_never_done(lane: Lane) -> None:
    done: list[int] = []

    def work(number: int) -> int:
        time.sleep(0.3)  # no part, so nothing hangs: the lane is just slow
        done.append(number)
        return number

    answers, _ = timed(lane, *(lambda n=n: work(n) for n in range(5)))
    assert answers[:2] == [0, 1]
    assert all(isinstance(answer, BusyError) for answer in answers[2:])
    assert done == [0, 1]


def test_errors_reach_whoever_asked(lane: Lane) -> None:
    def broken() -> None:
        raise RequestError("as asked")

    (answer,), _ = timed(lane, broken)
    assert str(answer) == "as asked"


def test_without_a_request_a_part_is_just_a_block() -> None:
    with part("anything"):
        pass
    with pytest.raises(OSError, match="itself"), part("anything"):
        raise OSError("itself")


class TestAdmission:
    def test_as_many_as_can_be_answered_in_time(self) -> None:
        admission = Admission(waiting_s=0.2)
        assert admission.limit == 100  # at the pace of 2 ms that is believed at first
        entered = [admission.enter() for _ in range(100)]
        with pytest.raises(BusyError):
            admission.enter()
        admission.leave(entered[0], answered=False)
        admission.enter()
        assert admission.under_way == 100

    def test_the_limit_follows_the_pace_and_keeps_its_bounds(self) -> None:
        admission = Admission(waiting_s=0.2)
        for _ in range(100):
            admission.leave(admission.enter(), answered=True)  # takes no time at all
        assert admission.limit == MOST
        for _ in range(300):
            admission.enter()
            admission.leave(-1.0, answered=True)
            admission._last = -1.0  # each kept the server for long
        assert admission.limit == LEAST

    def test_one_that_hangs_is_no_overload(self) -> None:
        admission = Admission(waiting_s=0.2)
        admission.enter()
        admission.leave(-1000.0, answered=True)
        assert admission.limit >= 75
