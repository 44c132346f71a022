"""How many questions may be under way, by hand."""

import asyncio
import time

import pytest

from serving.admission import HELD, HELD_S, LEARNED, LONG, PACE_S, SLOWEST, TOGETHER, Admission, BusyError


def test_as_many_as_can_be_answered_in_time_are_let_in() -> None:
    admission = Admission(20 * PACE_S, least=2)
    assert admission.limit == 20
    for _ in range(20):
        admission.enter()
    with pytest.raises(BusyError, match="ask again"):
        admission.enter()
    assert admission.under_way == 20
    admission.leave(time.perf_counter(), answered=False)
    assert admission.enter() <= time.perf_counter()


def test_a_slower_pace_lets_in_fewer_but_never_less_than_the_least() -> None:
    admission = Admission(20 * PACE_S, least=7)
    for _ in range(int(LONG)):  # each keeps the server for as long as a turn may wait, or longer
        assert admission.limit == 20
        admission.leave(admission.enter() - 100, answered=True)
        admission._last = 0.0
    assert admission.limit == int(20 / (1 + LEARNED * (SLOWEST - 1)))
    admission.leave(admission.enter() - 100, answered=False)
    assert admission.limit == int(20 / (1 + LEARNED * (SLOWEST - 1)))
    for _ in range(200):
        admission.leave(admission.enter() - 100, answered=True)
        admission._last = 0.0
    assert admission.limit == 7


def test_answers_that_come_together_are_as_slow_as_they_are_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("serving.admission.time.perf_counter", lambda: now[0])
    admission = Admission(0.15)
    for _ in range(100):
        entered = [admission.enter() for _ in range(TOGETHER)]
        now[0] += TOGETHER * 0.004
        for one in entered:
            admission.leave(one, answered=True)
    assert admission.limit == pytest.approx(0.15 / 0.004, abs=1)


def test_who_is_refused_waits_a_moment_unless_too_many_do() -> None:
    async def refuse(many: int) -> tuple[int, float]:
        admission, began = Admission(1.0), time.monotonic()
        held = [asyncio.create_task(admission.hold()) for _ in range(many)]
        await asyncio.sleep(HELD_S / 2)
        told = sum(one.done() for one in held)
        await asyncio.gather(*held)
        assert admission.held == 0
        return told, time.monotonic() - began

    told, took = asyncio.run(refuse(HELD + 3))
    assert told == 3
    assert took >= HELD_S
