"""How many questions may be under way at once: as many as can be answered before their turn comes too late.

Who is refused is held for a moment before being told: clients that ask again at once would keep the server busy with
refusals, and its questions waiting.
"""

import asyncio
import time

from serving import metrics
from serving.instances import RequestError

LEAST, MOST = 8, 256
PACE_S = 0.002  # believed until something was measured
TOGETHER = 16  # answers that are taken note of at once: they come in batches, the first late and the others with it
LONG = 4.0  # or as many as have kept the server for so many times what a turn may wait
LEARNED = 0.1  # how much they say about the pace
HELD_S, HELD = 0.2, 256  # how long a refusal is held back, and how many at once; others are told at once
SLOWEST = 4.0  # each counts as at most so many times the pace: one that hangs is no overload


class BusyError(RequestError):
    """More is asked than can be answered in time; answered with 429 and Retry-After."""

    status = 429

    def __init__(self) -> None:
        super().__init__("the server has more to answer than it can in time; ask again in a second")


class Admission:
    """Counts the questions under way and measures the server's pace, KServe's own part included."""

    def __init__(self, waiting_s: float, least: int = LEAST, most: int = MOST) -> None:
        """Admit as many as are answered within *waiting_s*, but *least* at least and *most* at most."""
        self._waiting, self._least, self._most = waiting_s, least, most
        self._pace, self._last = PACE_S, 0.0
        self._answers, self._took = 0, 0.0  # since the pace was learned
        self.under_way = self.held = 0

    @property
    def limit(self) -> int:
        """How many may be under way now."""
        return max(self._least, min(self._most, int(self._waiting / self._pace)))

    def enter(self) -> float:
        """One more; returns when it entered, for `leave`.

        Raises:
            BusyError: there are as many as there may be.
        """
        if self.under_way >= self.limit:
            metrics.shed("full")
            raise BusyError
        self.under_way += 1
        return time.perf_counter()

    async def hold(self) -> float:
        """Let somebody who was refused wait for the refusal, unless too many do; how many seconds it was."""
        if self.held >= HELD:
            return 0.0
        began = time.perf_counter()
        self.held += 1
        try:
            await asyncio.sleep(HELD_S)
        finally:
            self.held -= 1
        return time.perf_counter() - began

    def leave(self, entered: float, answered: bool) -> None:
        """One less; of those *answered*, learn how long they kept the server from the next."""
        self.under_way -= 1
        if answered:
            now = time.perf_counter()
            took = min(now - max(entered, self._last), self._waiting)
            self._answers, self._took, self._last = self._answers + 1, self._took + took, now
            if self._answers >= TOGETHER or self._took >= LONG * self._waiting:
                each = min(self._took / self._answers, SLOWEST * self._pace)
                self._pace, self._answers, self._took = self._pace + LEARNED * (each - self._pace), 0, 0.0
