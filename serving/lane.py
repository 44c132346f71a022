"""Where requests are answered: one thread that takes them in turn, replaced by a fresh one where it hangs.

The event loop looks at a request that takes long. Has its turn not come in time, it is refused. Is one part of it
under way for too long, the thread is left behind with that part, and the request is answered anew, without it, in a
thread that takes the next in turn afterwards. So a member or a store that hangs costs nothing while all is well.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from serving import metrics
from serving.admission import BusyError
from serving.breaker import Breakers
from serving.deadline import Attempt, LeftBehindError, Split, attempting

Work = Callable[[], Any]
LOOK_S = 0.015  # between two looks at a request that takes long


class Lane:
    """A thread, its queue, and the deadline of what goes through."""

    def __init__(self, name: str, split: Split, breakers: Breakers) -> None:
        self._name, self._split, self._breakers = name, split, breakers
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._started = False  # by the first request: a process that is forked before has its own thread

    async def run(self, work: Work) -> Any:
        """What *work* returns or raises, called in the lane's thread.

        Raises:
            BusyError: its turn did not come in time.
        """
        if not self._started:
            self._started = True
            self._replace()
        job = _Job(work, asyncio.get_running_loop(), self._split, self._breakers)
        self._jobs.put(job)
        job.looked = job.loop.call_later(self._split.part, self._look, job)
        try:
            return await job.answer
        finally:
            job.looked.cancel()

    def _look(self, job: "_Job") -> None:
        """Refuse a job that has waited for too long; free one that hangs."""
        now = time.monotonic()
        if not job.begun and now - job.arrived > self._split.waiting and job.give_up():
            metrics.shed("waiting")
            job.settle(None, BusyError())
            return
        stuck = job.attempt.leave(now) if job.begun else ""
        if stuck:
            metrics.left_behind(stuck)
            self._replace(job.again({*job.attempt.without, stuck}))
        job.looked = job.loop.call_later(LOOK_S, self._look, job)

    def _replace(self, first: "_Job | None" = None) -> None:
        """Take the jobs in turn in a new thread, after *first*."""
        threading.Thread(target=self._take, args=(first,), name=self._name, daemon=True).start()

    def _take(self, first: "_Job | None") -> None:
        job = first or self._jobs.get()
        while job.run(job.attempt):
            job = self._jobs.get()


class _Job:
    """A request on its way."""

    def __init__(self, work: Work, loop: asyncio.AbstractEventLoop, split: Split, breakers: Breakers) -> None:
        self.work, self.loop, self.arrived = work, loop, time.monotonic()
        self.answer: asyncio.Future[Any] = loop.create_future()
        self.begun = False
        self.looked: asyncio.TimerHandle
        self.attempt = Attempt(breakers, split, self.arrived + split.deadline - split.spare - split.part)
        self._given_up = False
        self._lock = threading.Lock()

    def give_up(self) -> bool:
        """The job is not to be begun any more; False: it has been."""
        with self._lock:
            self._given_up = not self.begun
        return self._given_up

    def again(self, without: set[str]) -> "_Job":
        """The job with an attempt of its own that goes on without the parts *without*."""
        last = self.attempt
        self.attempt = Attempt(last.breakers, last.split, last.until, without)
        return self

    def run(self, attempt: Attempt) -> bool:
        """Do the work in this thread and say what came of it; False: attempt and thread were left behind."""
        with self._lock:
            if self._given_up:
                return True
            self.begun = True
        value: Any = None
        error: Exception | None = None
        with attempting(attempt):
            try:
                value = self.work()
            except LeftBehindError:
                return False
            except Exception as raised:
                error = raised
        self.loop.call_soon_threadsafe(self.settle, value, error)
        return True

    def settle(self, value: Any, error: Exception | None) -> None:
        """Hand over what came of it; once, in the event loop."""
        if self.answer.done():
            return
        if error is None:
            self.answer.set_result(value)
        else:
            self.answer.set_exception(error)
