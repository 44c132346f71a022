"""When a part is left alone, and when it is tried again; time is told by hand."""

import threading

import pytest

from serving.breaker import FAILURES, MOST_HANGING, REST_S, Breaker, Breakers, SkippedError


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told() -> list[tuple[str, bool]]:
    return []


@pytest.fixture
def breaker(clock: Clock, told: list[tuple[str, bool]]) -> Breaker:
    return Breaker("store", lambda name, is_open: told.append((name, is_open)), clock)


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.admit()
        breaker.failed()


def test_five_failures_in_a_row_open_it_and_a_success_between_them_does_not(
    breaker: Breaker, told: list[tuple[str, bool]]
) -> None:
    fail(breaker, FAILURES - 1)
    breaker.succeeded()
    fail(breaker, FAILURES - 1)
    assert breaker.state == "closed"
    fail(breaker, 1)
    assert breaker.state == "open"
    with pytest.raises(SkippedError):
        breaker.admit()
    assert told == [("store", True)]


def test_after_a_rest_one_call_tries_it_and_decides(
    breaker: Breaker, clock: Clock, told: list[tuple[str, bool]]
) -> None:
    fail(breaker, FAILURES)
    clock.now += REST_S
    breaker.admit()
    assert breaker.state == "half_open"
    with pytest.raises(SkippedError):
        breaker.admit()  # one is enough
    breaker.failed()
    with pytest.raises(SkippedError):
        breaker.admit()  # and it rests once more
    clock.now += REST_S
    breaker.admit()
    breaker.succeeded()
    breaker.admit()
    assert breaker.state == "closed"
    assert told == [("store", True), ("store", False)]


def test_one_call_that_hangs_opens_it_and_those_that_never_return_are_bounded(breaker: Breaker, clock: Clock) -> None:
    for _ in range(MOST_HANGING):
        breaker.admit()
        breaker.hung()
        assert breaker.state == "open"
        clock.now += REST_S
    with pytest.raises(SkippedError):
        breaker.admit()
    breaker.returned()
    breaker.admit()
    breaker.succeeded()
    assert breaker.state == "closed"


def test_of_many_threads_one_tries(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, FAILURES)
    clock.now += REST_S
    admitted: list[int] = []

    def attempt(number: int) -> None:
        try:
            breaker.admit()
        except SkippedError:
            return
        admitted.append(number)

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(admitted) == 1


def test_every_part_has_one_of_its_own(told: list[tuple[str, bool]]) -> None:
    breakers = Breakers(lambda name, is_open: told.append((name, is_open)))
    assert breakers["a"] is breakers["a"] is not breakers["b"]
    breakers["a"].hung()
    breakers["b"].admit()
    assert told == [("a", True)]
