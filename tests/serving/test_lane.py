"""Requests that hang, wait for too long, or fail, in a lane with planted work."""

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from serving.admission import LEAST, MOST, Admission, BusyError
from serving.breaker import Breakers, SkippedError
from serving.deadline import FEATURES, Split, collector, part
from serving.instances import RequestError
from serving.lane import Lane

MANY = 200  # questions of a request that keeps the lane busy for a while, each of which took little
SPLIT = Split(0.8)  # a part that hangs is found after .2 s, a turn that does not come after .4 s


@pytest.fixture
def breakers() -> Breakers:
    return Breakers(lambda _name, _open: None)


@pytest.fixture
def lane(breakers: Breakers) -> Lane:
    return Lane("test", SPLIT, breakers, together=16)


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
    async def one(work: Callable[[], Any]) -> Any:
        (answer,) = await lane.run(lambda asked: [work() for _ in asked], [None])
        return answer

    async def run() -> list[Any]:
        return await asyncio.gather(*map(one, works), return_exceptions=True)

    began = time.monotonic()
    return asyncio.run(run()), time.monotonic() - began


def together(lane: Lane, work: Callable[[list[int]], list[int]], asked: list[list[int]]) -> list[Any]:
    """Requests that wait while another is under way."""
    busy = threading.Event()

    def first(asked: list[int]) -> list[int]:
        busy.wait(1.0)
        return asked

    async def run() -> list[Any]:
        waiting = [asyncio.create_task(lane.run(first, [0] * MANY))]
        await asyncio.sleep(0.05)
        waiting += [asyncio.create_task(lane.run(work, one)) for one in asked]
        await asyncio.sleep(0.05)
        busy.set()
        return (await asyncio.gather(*waiting, return_exceptions=True))[1:]

    return asyncio.run(run())


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


class TestTogether:
    def test_what_waits_is_answered_together_and_each_gets_its_own(self, breakers: Breakers) -> None:
        four, sizes = Lane("test", SPLIT, breakers, together=4), list[int]()

        def work(asked: list[int]) -> list[int]:
            sizes.append(len(asked))
            return [n * n for n in asked]

        assert together(four, work, [[1], [2, 3], [4], [5]]) == [[1], [4, 9], [16], [25]]
        assert sizes == [4, 1]

    def test_the_slower_the_questions_the_fewer_go_together(self, lane: Lane) -> None:
        async def ask_for(seconds: float) -> None:
            def work(asked: list[int]) -> list[int]:
                time.sleep(seconds)
                return asked

            await lane.run(work, [0])

        assert lane.room == 16
        asyncio.run(ask_for(SPLIT.waiting / 4))
        assert lane.room == 1  # a little more than a quarter
        for _ in range(60):
            asyncio.run(ask_for(0.0))
        assert lane.room == 16

    def test_the_longest_part_says_how_many_go_together(self, lane: Lane) -> None:
        def work(asked: list[int]) -> list[int]:
            for name, share in (("short", 20), ("long", 8)):
                with part(name):
                    time.sleep(SPLIT.part / share)
            return asked

        asyncio.run(lane.run(work, [0]))
        assert lane.room == 3  # by a little more than an eighth; all of it would leave room for 4

    def test_as_many_go_together_as_are_fast_enough_though_most_is_paid_once(self, lane: Lane) -> None:
        once, each, bound = SPLIT.waiting / 5, SPLIT.waiting / 60, SPLIT.waiting / 2
        lane._learn(1, SPLIT.waiting, 0.0)
        assert lane.room == 1
        rooms = []
        for _ in range(12):
            lane._learn(lane.room, once + each * lane.room, 0.0)
            rooms.append(lane.room)
        assert rooms == sorted(rooms)
        assert rooms[0] == 2  # twice as many, not more, after one that was fast enough
        assert rooms[-1] == 16  # 18 would take as long as a go may
        lane._learn(16, 2 * bound, 0.0)
        assert lane.room == 8

    def test_whoever_comes_to_an_idle_lane_is_answered_alone(self, lane: Lane) -> None:
        async def run() -> list[int]:
            found: list[int] = []
            for _ in range(3):
                found += await lane.run(lambda asked: [len(asked)], [7])
            return found

        assert asyncio.run(run()) == [1, 1, 1]

    def test_other_work_is_not_mixed_in(self, lane: Lane) -> None:
        async def run() -> list[Any]:
            one, other = (lambda asked, name=name: [(name, len(asked))] * len(asked) for name in "ab")

            def busy(asked: list[Any]) -> list[Any]:
                time.sleep(0.1)
                return asked

            first = lane.run(busy, [0] * MANY)
            return list(await asyncio.gather(first, *(lane.run(work, [0]) for work in (one, one, other, one))))

        assert asyncio.run(run())[1:] == [[("a", 2)], [("a", 2)], [("b", 1)], [("a", 1)]]

    def test_one_that_fails_fails_alone(self, lane: Lane) -> None:
        def work(asked: list[int]) -> list[int]:
            if 2 in asked:
                raise RequestError("no such number")
            return asked

        first, wrong, last = together(lane, work, [[1], [2], [3]])
        assert (first, last) == ([1], [3])
        assert isinstance(wrong, RequestError)

    def test_a_part_that_hangs_is_done_without_by_all(self, lane: Lane, hanging: threading.Event) -> None:
        calls: list[int] = []

        def work(asked: list[int]) -> list[int]:
            calls.append(len(asked))
            said = ask({"a": hanging.wait, "b": lambda: 2})
            return [n if said == {"a": None, "b": 2} else -1 for n in asked]

        assert together(lane, work, [[1], [2], [3]]) == [[1], [2], [3]]
        assert calls == [3, 3]

    def test_those_behind_one_that_fails_and_one_that_hangs_are_answered(
        self, lane: Lane, hanging: threading.Event
    ) -> None:
        """Together they fail; alone the first fails, the second hangs, and the third is not forgotten."""

        def work(asked: list[int]) -> list[int]:
            if 1 in asked:
                raise RequestError("no such number")
            if 2 in asked:
                ask({"a": hanging.wait})
            return asked

        wrong, *others = together(lane, work, [[1], [2], [3]])
        assert isinstance(wrong, RequestError)
        assert others == [[2], [3]]


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


@pytest.mark.parametrize(("share", "said"), [(1.5, 1), (2.5, None)])
def test_a_process_that_was_held_up_takes_no_part_for_one_that_hangs_unless_it_lasts(
    lane: Lane, breakers: Breakers, share: float, said: int | None
) -> None:
    def slow() -> int:
        time.sleep(SPLIT.part * share)
        return 1

    async def run() -> Any:
        stands_still = SPLIT.part * (share - 0.2)  # the loop, and its looks with it
        asyncio.get_running_loop().call_later(SPLIT.part / 10, time.sleep, stands_still)
        return await lane.run(lambda asked: [ask({"a": slow, "b": lambda: 2}) for _ in asked], [None])

    assert asyncio.run(run()) == [{"a": said, "b": 2}]
    assert breakers["a"].state == ("closed" if said else "open")


def test_what_the_garbage_collector_holds_up_neither_hangs_nor_is_slow(breakers: Breakers) -> None:
    heap: list[list[int]] = [[] for _ in range(3_000_000)]
    split = Split(0.08)
    lane, before = Lane("test", split, breakers, together=16), collector.seconds

    def work(asked: list[int]) -> list[int]:
        with part(FEATURES, hurried=True):
            gc.collect()
        return asked

    for number in range(6):
        assert asyncio.run(lane.run(work, [number])) == [number]
    assert (collector.seconds - before) / 6 > split.part  # else it says nothing
    assert breakers[FEATURES].state == "closed"
    assert lane.room == 16
    assert len(heap) == 3_000_000


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
        for _ in range(400):
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
