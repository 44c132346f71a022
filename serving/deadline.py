"""How long a request may take, what of it each part may take, and which part is under way.

A request is answered in one or more attempts, each in a thread (serving.lane). Within an attempt the parts that can be
done without (the feature store, every member) stand in a `part` block. A part that hangs is found from outside, by
its name, and the next attempt goes on without it. Where no attempt is under way (evaluation, batches, the smoke
requests of a release) `part` does nothing.
"""

import gc
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from components.common.errors import InputError
from serving.breaker import Breakers, SkippedError

if TYPE_CHECKING:
    from serving.telemetry import Notes

DEFAULT_S = 0.3
FAILED, LEFT_BEHIND = "failed", "left behind"  # what is noted of a part that gave nothing
FEATURES = "features"  # what the feature store is called in `degraded`; a member is `member:NAME`


@dataclass(frozen=True)
class Split:
    """One deadline in seconds, and its parts.

    waiting: in which a request's turn must come, else it is refused (429). part: how long one part may be under way
    before the answer goes on without it. spare: kept for what follows the members; they get what is left.
    """

    deadline: float = DEFAULT_S

    @property
    def waiting(self) -> float:
        """Seconds until the request's turn."""
        return self.deadline / 2

    @property
    def part(self) -> float:
        """Seconds for one part."""
        return self.deadline / 4

    @property
    def slow(self) -> float:
        """Seconds after which the feature store's answer is taken, but counted as a failure."""
        return self.deadline / 6

    @property
    def spare(self) -> float:
        """Seconds for what follows the members."""
        return self.deadline / 10


class _Collector:
    """Seconds that the garbage collector has taken so far; no thread does anything meanwhile."""

    def __init__(self) -> None:
        self._ended, self._began = 0.0, 0.0  # seconds of those that have ended; when the one under way began, or 0

    def __call__(self, phase: str, _info: dict[str, int]) -> None:
        """As `gc.callbacks` has it; one collection does not begin within another."""
        now = time.monotonic()
        if phase == "start":
            self._began = now
        else:
            self._ended, self._began = self._ended + now - self._began, 0.0

    @property
    def seconds(self) -> float:
        """Of all collections, with the one whose end nobody has heard of yet."""
        began = self._began
        return self._ended + (time.monotonic() - began if began else 0.0)


collector = _Collector()
gc.callbacks.append(collector)


def working() -> float:
    """`time.monotonic()` without what the garbage collector took: what it holds up is not slow for that."""
    return time.monotonic() - collector.seconds


@dataclass
class Attempt:
    """One go at a request, in one thread.

    until: `time.monotonic()` after which no further part is begun, unless it is needed. without: parts not to be asked.
    notes: where the times of parts are noted, one for each request that somebody traces. patience: how many times as
    long as it may take a part may be under way. longest: seconds that the longest part took so far.
    """

    breakers: Breakers
    split: Split
    until: float
    without: Collection[str] = ()
    notes: "Sequence[Notes]" = ()
    patience: float = 1.0
    longest: float = 0.0
    under_way: str = ""
    since: float = 0.0
    worked: float = 0.0
    hurried: bool = True
    left_behind: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, name: str, needed: bool, hurried: bool) -> None:
        """A part begins.

        Raises:
            SkippedError: it is not to be asked.
        """
        now = time.monotonic()
        if name in self.without or (now > self.until and not needed):
            raise SkippedError(f"no time is left for {name}")
        self.breakers[name].admit()
        self.hurried, self.since, self.worked, self.under_way = hurried, now, working(), name

    def end(self, error: BaseException | None) -> None:
        """The part under way has ended.

        Raises:
            LeftBehindError: nobody waits for this attempt any more.
        """
        name, now, took = self.under_way, time.monotonic(), working() - self.worked
        breaker = self.breakers[name]
        with self.lock:
            gone, self.under_way = self.left_behind, ""
        self.longest = max(self.longest, took)
        if gone:
            breaker.returned()
            raise LeftBehindError
        well = error is None or isinstance(error, InputError)
        for notes in self.notes:
            notes.part(name, self.since, now, "" if well else FAILED)
        slow = error is None and self.hurried and took > self.split.slow
        if well and not slow:
            breaker.succeeded()
        else:
            breaker.failed()

    def leave(self, now: float) -> str:
        """If one part has been under way for too long, leave the attempt behind; the part's name, or nothing."""
        with self.lock:
            name = self.under_way
            if not name or working() - self.worked <= self.split.part * self.patience:
                return ""
            self.left_behind = True
        for notes in self.notes:
            notes.part(name, self.since, now, LEFT_BEHIND)
        self.breakers[name].hung()
        return name


class LeftBehindError(BaseException):
    """Ends a thread whose request has been answered by another; nothing may catch it on the way."""


class _UnderWay(threading.local):
    attempt: Attempt | None = None


_here = _UnderWay()


class part:  # noqa: N801  (reads as a statement: `with part("features"):`)
    """A block that an answer can do without.

    Args:
        name: as it stands in `degraded`.
        needed: begin even when the time for parts is over, since nothing else has been found yet.
        hurried: an answer that comes, but slowly, counts as a failure.
    """

    __slots__ = ("_attempt", "_hurried", "_name", "_needed")

    def __init__(self, name: str, needed: bool = False, hurried: bool = False) -> None:
        self._name, self._needed, self._hurried = name, needed, hurried
        self._attempt = _here.attempt

    def __enter__(self) -> None:
        if self._attempt is not None:
            self._attempt.begin(self._name, self._needed, self._hurried)

    def __exit__(self, _kind: object, error: BaseException | None, _at: object) -> None:
        if self._attempt is not None:
            self._attempt.end(error)


class step:  # noqa: N801
    """A block that an answer cannot do without: its time is noted where somebody wants to know, and that is all."""

    __slots__ = ("_name", "_notes", "_since")

    def __init__(self, name: str) -> None:
        attempt = _here.attempt
        self._name, self._notes = name, () if attempt is None else attempt.notes

    def __enter__(self) -> None:
        if self._notes:
            self._since = time.monotonic()

    def __exit__(self, _kind: object, error: BaseException | None, _at: object) -> None:
        if self._notes:
            now = time.monotonic()
            for notes in self._notes:
                notes.part(self._name, self._since, now, FAILED if error is not None else "")


class attempting:  # noqa: N801
    """A block in which the parts belong to *attempt*."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    def __enter__(self) -> None:
        _here.attempt = self._attempt

    def __exit__(self, *_how: object) -> None:
        _here.attempt = None
