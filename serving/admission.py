"""How many questions may be under way at once: as many as can be answered before their turn comes too late."""

import time

from serving import metrics
from serving.instances import RequestError

LEAST, MOST = 8, 256
PACE_S = 0.002  # believed until something was measured
LEARNED = 0.1  # how much one question says about the pace
SLOWEST = 4.0  # a single question counts as at most so many times the pace: one that hangs is no overload


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
        self.under_way = 0

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

    def leave(self, entered: float, answered: bool) -> None:
        """One less; of those *answered*, learn how long they kept the server from the next."""
        self.under_way -= 1
        if answered:
            now = time.perf_counter()
            took = min(now - max(entered, self._last), SLOWEST * self._pace)
            self._pace, self._last = self._pace + LEARNED * (took - self._pace), now
