"""What every peer is: a space of numbers to choose from, and how it is fitted with them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.quality.peers.problem import Labelled, Problem, Scorer

Params = dict[str, Any]
Space = Mapping[str, tuple[Any, ...]]  # by name, the values to try; the first of each is where tuning begins


@dataclass(frozen=True)
class Fitted:
    """A fitted peer: what it scores with, and how many numbers it holds."""

    score: Scorer
    parameters: int


@dataclass(frozen=True)
class Peer:
    """One peer.

    package: the distribution whose version is reported. module: what must be importable, else the peer's own venv is
    asked. fit: (problem, params, lessons) -> Fitted; *lessons* are answered questions inside the training data, for
    peers that learn from answers. space: by the problem, what to choose from. tasks: those it can do; supervised: does
    it learn from answers. slow: run only when named.
    """

    name: str
    package: str
    module: str
    fit: Callable[[Problem, Params, Labelled], Fitted]
    space: Callable[[Problem], Space]
    tasks: tuple[str, ...] = ("discovery", "next_basket")
    supervised: bool = False
    slow: bool = False


class CannotRunError(Exception):
    """A peer that this case is too large for, said in its result."""


def ages(problem: Problem) -> tuple[float | None, ...]:
    """Half-lives to try, in days or visits."""
    return (60.0, None, 14.0, 28.0, 120.0, 240.0) if problem.clock == "days" else (2.0, None, 1.0, 4.0, 10.0)


def inputs(problem: Problem) -> Space:
    """The choices every peer has that takes weighted input."""
    counts = ("log", "linear", "once") if problem.clock == "days" else ("once",)
    return {
        "half_life": ages(problem),
        "learning_half_life": (None, *(a for a in ages(problem) if a)),
        "counts": counts,
    }
