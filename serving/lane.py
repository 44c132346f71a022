"""Where requests are answered: one thread that takes them in turn, replaced by a fresh one where it hangs.

What waits while the thread is busy is answered together, since a batch costs a fraction of its requests one by one, but
only so many that no part should take half of its time; whoever comes to an idle thread is answered alone.

The event loop looks at a request that takes long. Has its turn not come in time, it is refused. Is one part of it
under way for too long, the thread is left behind with that part, and the request is answered anew, without it, in a
thread that takes the next in turn afterwards. So a member or a store that hangs costs nothing while all is well.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from typing import Any

from serving import metrics
from serving.admission import BusyError
from serving.breaker import Breakers
from serving.deadline import Attempt, LeftBehindError, Split, attempting, working
from serving.telemetry import noted

Work = Callable[[list[Any]], Sequence[Any]]
WAITING = "waiting"  # the part of a request in which its turn has not come
LOOK_S = 0.015  # between two looks at a request that takes long; one that comes late by more finds the process held up
HELD_UP = 2.0  # times as long as a part may take it may where the process was held up
GROWN = 2.0  # times as many may go together after a go that was fast enough for them


class Lane:
    """A thread, its queue, and the deadline of what goes through."""

    def __init__(self, name: str, split: Split, breakers: Breakers, together: int = 1) -> None:
        """A lane in which at most so many questions are answered *together*."""
        self._name, self._split, self._breakers, self._together = name, split, breakers, together
        self._waiting = _Waiting()
        self._room = float(together)
        self._started = False  # by the first request: a process that is forked before has its own thread

    @property
    def room(self) -> int:
        """Questions that may be answered together now."""
        return int(self._room)

    def _learn(self, many: int, took: float, longest: float) -> None:
        """Make room by how long a go at *many* questions *took*, and its *longest* part, in seconds.

        Their longest part should take half of what a part may, at most, and all of it half of what a turn may wait. One
        more is held to cost as much as each did, which is the most it can: much is paid once a go. A slow go is
        believed at once, fast ones bit by bit.
        """
        share = max(longest / (self._split.part / 2), took / (self._split.waiting / 2), 1e-6)
        self._room = max(1.0, min(self._together, many / share, self._room * GROWN))

    async def run(self, work: Work, asked: list[Any]) -> Sequence[Any]:
        """What *work* makes of *asked*, in that order, called in the lane's thread.

        Args:
            work: answers a list of questions; equal for requests that may be answered together.
            asked: the questions of one request.

        Raises:
            BusyError: its turn did not come in time.
        """
        if not self._started:
            self._started = True
            self._replace()
        job = _Job(work, asked, asyncio.get_running_loop())
        self._waiting.put(job)
        self._look_after(self._split.part, job)
        try:
            return await job.answer
        finally:
            job.looked.cancel()

    def _look_after(self, seconds: float, job: "_Job") -> None:
        job.looked = job.loop.call_later(seconds, self._look, job, time.monotonic() + seconds)

    def _look(self, job: "_Job", due: float) -> None:
        """Refuse a job that has waited for too long; free one that hangs.

        Where the look itself comes late, the process was held up, and what is under way with it: it gets more time.
        """
        now = time.monotonic()
        if job.go is None and working() - job.came > self._split.waiting and job.give_up():
            metrics.shed("waiting")
            job.settle(None, BusyError())
            return
        go = job.go
        if go is not None and now - due > LOOK_S:
            go.attempt.patience = HELD_UP
        stuck = go.attempt.leave(now) if go is not None else ""
        if go is not None and stuck:
            metrics.left_behind(stuck)
            self._replace(self._go(go.jobs, {*go.attempt.without, stuck}))
        self._look_after(LOOK_S, job)

    def _go(self, jobs: "list[_Job]", without: Collection[str] = ()) -> "_Go":
        """One go at *jobs*, that begins now or has begun: nobody else takes them."""
        split = self._split
        until = min(job.arrived for job in jobs) + split.deadline - split.spare - split.part
        notes = tuple(job.notes for job in jobs if job.notes is not None)
        go = _Go(jobs, Attempt(self._breakers, split, until, without, notes))
        for job in jobs:
            job.go = go
        return go

    def _replace(self, first: "_Go | None" = None) -> None:
        """Take the jobs in turn in a new thread, after *first*."""
        threading.Thread(target=self._take, args=(first,), name=self._name, daemon=True).start()

    def _take(self, first: "_Go | None") -> None:
        if first is not None and not self._done(first):
            return
        while True:
            jobs = self._waiting.get(self.room)
            if jobs and not self._done(self._go(jobs)):
                return

    def _done(self, go: "_Go") -> bool:
        """Do the work in this thread and say what came of it; False: the thread was left behind with it."""
        began = working()
        try:
            with attempting(go.attempt):
                answers = go.answers()
        except LeftBehindError:
            return False
        except Exception as error:
            if len(go.jobs) == 1:
                go.jobs[0].tell(None, error)
            else:  # whose fault it is shows when each is answered alone
                self._waiting.put_back(go.jobs)
            return True
        many = max(sum(map(len, answers)), 1)
        self._learn(many, working() - began, go.attempt.longest)
        for job, own in zip(go.jobs, answers, strict=True):
            job.tell(own, None)
        return True


class _Waiting:
    """Jobs whose turn has not come, the first first."""

    def __init__(self) -> None:
        self._jobs: deque[_Job] = deque()
        self._some = threading.Condition()

    def put(self, job: "_Job") -> None:
        """One more, the last."""
        with self._some:
            self._jobs.append(job)
            self._some.notify()

    def put_back(self, jobs: "list[_Job]") -> None:
        """The next are *jobs*, each alone."""
        with self._some:
            for job in reversed(jobs):
                job.alone = True
                self._jobs.appendleft(job)

    def get(self, room: int) -> "list[_Job]":
        """The first job and those right behind it that may be answered with it, without those that gave up.

        At most *room* questions, if the first asks no more itself.
        """
        with self._some:
            while not self._jobs:
                self._some.wait()
            jobs = [self._jobs.popleft()]
            left = room - len(jobs[0].asked)
            while self._jobs and len(self._jobs[0].asked) <= left and jobs[0].goes_with(self._jobs[0]):
                jobs.append(self._jobs.popleft())
                left -= len(jobs[-1].asked)
        return [job for job in jobs if job.begin()]


class _Go:
    """One attempt at one or more jobs."""

    def __init__(self, jobs: "list[_Job]", attempt: Attempt) -> None:
        self.jobs, self.attempt = jobs, attempt

    def answers(self) -> list[Sequence[Any]]:
        """Of each job the answers to its questions."""
        found = self.jobs[0].work([one for job in self.jobs for one in job.asked])
        ends = [0]
        for job in self.jobs:
            ends.append(ends[-1] + len(job.asked))
        return [found[start:end] for start, end in pairwise(ends)]


class _Job:
    """A request on its way. go: the attempt that it is part of; None: its turn has not come. alone: with no other."""

    def __init__(self, work: Work, asked: list[Any], loop: asyncio.AbstractEventLoop) -> None:
        self.work, self.asked, self.loop, self.alone = work, asked, loop, False
        self.arrived, self.came = time.monotonic(), working()
        self.go: _Go | None = None
        self.notes = noted.get()
        self.answer: asyncio.Future[Sequence[Any]] = loop.create_future()
        self.looked: asyncio.TimerHandle
        self._begun = self._given_up = False
        self._lock = threading.Lock()

    def goes_with(self, other: "_Job") -> bool:
        """May the two be answered together."""
        return not self.alone and not other.alone and self.work == other.work

    def give_up(self) -> bool:
        """The job is not to be begun any more; False: it has been."""
        with self._lock:
            self._given_up = not self._begun
        return self._given_up

    def begin(self) -> bool:
        """The job's turn has come; False: it has been given up."""
        with self._lock:
            self._begun = not self._given_up
        if self.notes is not None and self._begun and self.go is None:
            self.notes.part(WAITING, self.arrived, time.monotonic())
        return self._begun

    def tell(self, value: Sequence[Any] | None, error: Exception | None) -> None:
        """Hand over what came of it, from the lane's thread."""
        self.loop.call_soon_threadsafe(self.settle, value, error)

    def settle(self, value: Sequence[Any] | None, error: Exception | None) -> None:
        """Hand over what came of it; once, in the event loop."""
        if self.answer.done():
            return
        if error is None:
            self.answer.set_result(value or ())
        else:
            self.answer.set_exception(error)
