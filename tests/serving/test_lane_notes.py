"""What is noted of requests that go through a lane, alone and together."""

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from serving.breaker import Breakers
from serving.deadline import Split, part, step
from serving.lane import Lane, Work
from serving.telemetry import Notes, noted


def work(asked: list[Any]) -> Sequence[Any]:
    """A slow part that may be done without, a step, and the questions as answers."""
    with part("member:one", needed=True):
        time.sleep(0.05)
    with step("blend"):
        return list(asked)


async def traced(lane: Lane, number: int, notes: Notes | None, work: Work) -> Sequence[Any]:
    noted.set(notes)
    return await lane.run(work, [number])


def lane() -> Lane:
    return Lane("noted", Split(30.0), Breakers(lambda _part, _is_open: None), together=16)


def test_each_of_those_answered_together_has_the_parts_and_whoever_is_not_traced_has_none() -> None:
    first, second, third = Notes(), Notes(), Notes()

    gate = threading.Event()

    def gated(asked: list[Any]) -> Sequence[Any]:
        gate.wait()
        return work(asked)

    async def ask() -> list[Sequence[Any]]:
        here = lane()
        alone = asyncio.ensure_future(traced(here, 0, first, gated))
        while not first.parts:  # the thread is busy with it
            await asyncio.sleep(0.001)
        more = [traced(here, number, notes, gated) for number, notes in ((1, second), (2, None), (3, third))]
        others = asyncio.gather(*more)
        await asyncio.sleep(0.01)
        gate.set()
        return [await alone, *await others]

    assert asyncio.run(ask()) == [[0], [1], [2], [3]]
    for notes in (first, second, third):
        assert [(name, problem) for name, _, _, problem in notes.parts] == [
            ("waiting", ""), ("member:one", ""), ("blend", ""),
        ]  # fmt: skip
        assert all(since <= until for _, since, until, _ in notes.parts)
    assert second.parts[1:] == third.parts[1:]  # one go: the same times


def test_a_part_that_fails_is_noted_as_such() -> None:
    notes = Notes()

    def failing(questions: list[Any]) -> Sequence[Any]:
        with part("member:one"):
            raise RuntimeError("with a customer's words in it")
        return questions

    async def ask() -> None:
        noted.set(notes)
        with pytest.raises(RuntimeError):
            await lane().run(failing, [1])

    asyncio.run(ask())
    assert [(name, problem) for name, _, _, problem in notes.parts] == [("waiting", ""), ("member:one", "failed")]
