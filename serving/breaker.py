"""Circuit breakers: a part of an answer that fails again and again is left alone for a while, then tried once.

Our own, since the libraries at hand hold a lock while the call lasts (pybreaker): one call that hangs would hold up
every other thread. Here a lock guards the counting alone.
"""

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

FAILURES = 5  # in a row
REST_S = 2.0
MOST_HANGING = 3  # calls that were left behind and never came back; with more of them, nothing is tried


class SkippedError(Exception):
    """A part was not asked: it has just failed, or there is no time left for it. The answer goes on without it."""


class Breaker:
    """closed: asked; open: left alone; half_open: one question tries it, and decides."""

    def __init__(
        self, name: str, told: Callable[[str, bool], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """A closed breaker.

        Args:
            name: of the part.
            told: hears the name, and whether the part is left alone, whenever that changes.
            clock: seconds.
        """
        self.name, self._told, self._clock = name, told, clock
        self._lock = threading.Lock()
        self._failed, self._hanging = 0, 0
        self._open_until: float | None = None
        self._trying = False

    @property
    def state(self) -> str:
        """`closed`, `open` or `half_open`."""
        if self._open_until is None:
            return "closed"
        return "half_open" if self._trying else "open"

    def admit(self) -> None:
        """Let a call begin; it ends with one of `succeeded`, `failed` and `hung`.

        Raises:
            SkippedError: the part is to be left alone.
        """
        if self._open_until is None:
            return
        with self._lock:
            resting = self._open_until is not None and self._clock() < self._open_until
            if resting or self._trying or self._hanging >= MOST_HANGING:
                raise SkippedError(f"{self.name} is left alone")
            self._trying = self._open_until is not None

    def succeeded(self) -> None:
        """A call has answered."""
        if not self._failed and self._open_until is None:
            return
        with self._lock:
            self._failed, self._trying = 0, False
            if self._open_until is not None:
                self._open_until = None
                log.warning("%s answers again", self.name)
                self._told(self.name, False)

    def failed(self) -> None:
        """A call has raised, or was too slow to be worth it."""
        with self._lock:
            self._failed += 1
            if self._failed >= FAILURES or self._trying:
                self._open()

    def hung(self) -> None:
        """A call was left behind while it lasted: whoever waits in turn cannot afford four more of these."""
        with self._lock:
            self._hanging += 1
            self._open()

    def returned(self) -> None:
        """A call that was left behind has ended after all."""
        with self._lock:
            self._hanging -= 1

    def _open(self) -> None:
        if self._open_until is None:
            log.error("%s fails; answers go on without it, it is tried again every %.0f s", self.name, REST_S)
            self._told(self.name, True)
        self._open_until, self._trying, self._failed = self._clock() + REST_S, False, 0


class Breakers:
    """One breaker for every part, made when the part is first asked."""

    def __init__(self, told: Callable[[str, bool], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._told, self._clock = told, clock
        self._of: dict[str, Breaker] = {}
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> Breaker:
        found = self._of.get(name)
        if found is None:
            with self._lock:
                found = self._of.setdefault(name, Breaker(name, self._told, self._clock))
        return found
