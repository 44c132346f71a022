"""How many questions may be under way, by hand."""

import time

import pytest

from serving.admission import LEARNED, PACE_S, SLOWEST, Admission, BusyError


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
    hung = time.perf_counter() - 100  # one that hung for long counts as SLOWEST times the pace
    admission.enter()
    admission.leave(hung, answered=True)
    assert admission.limit == int(20 / (1 + LEARNED * (SLOWEST - 1)))
    admission.leave(hung, answered=False)
    assert admission.limit == int(20 / (1 + LEARNED * (SLOWEST - 1)))
    for _ in range(50):
        admission.leave(admission.enter() - 100, answered=True)
        admission._last = 0.0
    assert admission.limit == 7
