"""The steps of the graph as KServe models: each takes and gives the JSON of V1."""

import asyncio
import logging
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import orjson
from kserve import Model

from components.common.identity import pseudonym
from serving import metrics
from serving.breaker import Breaker, SkippedError
from serving.graph.fusing import fuse
from serving.graph.parts import Part
from serving.graph.question import QUESTION, ask, batches_of, loaded
from serving.instances import Instance, RequestError, parse_all
from serving.live import Live
from serving.model import listed

log = logging.getLogger(__name__)

ASK, COMBINE, MEMBER = "ask", "combine", "cuvee-member"
GUARD = "guard-"  # and the part's name
MEMBER_SECONDS = 0.15
MOST_BYTES = 32 << 20  # of scores that one request may gather
Json = dict[str, Any]


class Step(Model):  # type: ignore[misc]
    """A step that works in a thread of its own: health checks need not wait for it."""

    def __init__(self, name: str, work: Callable[[Json], Json]) -> None:
        super().__init__(name)
        self._work = work
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self.ready = True

    def start(self) -> None:
        """Nothing to prepare."""

    async def predict(self, payload: Any, _headers: dict[str, str] | None = None) -> Json:
        """Answer a JSON object with one.

        Raises:
            RequestError: it cannot be answered; serving.door answers 400.
        """
        if not isinstance(payload, dict):
            raise RequestError("the body is a JSON object")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._work, payload)


def asking(live: Live, id_key: bytes) -> Step:
    """The first step: V1's {"instances": [...]} in, the question of serving.graph.question out."""

    def at_the_door(instance: Instance) -> Instance:
        if instance.user_id is None:
            return instance
        return instance.model_copy(update={"user_id": pseudonym(instance.user_id, id_key)})

    most = max(1, MOST_BYTES // (4 * len(live.engine.catalogue) * max(1, len(live.engine.members))))

    def work(payload: Json) -> Json:
        instances = [at_the_door(instance) for instance in parse_all(listed(payload))]
        if len(instances) > most:
            raise RequestError(f"found {len(instances)} instances; the graph answers at most {most} at once")
        return ask(live, instances).out()

    return Step(ASK, work)


def echo() -> Step:
    """The step beside the members that gives the question on: the last step sees nothing but what steps have said."""
    return Step(QUESTION, lambda payload: payload)


def combining(live: Live) -> Step:
    """The last step: an Ensemble's {step: response} in, V1's {"predictions": [...]} out."""
    metrics.serving(live.digest)

    def work(payload: Json) -> Json:
        predictions = fuse(live, payload)
        metrics.predicted(predictions)
        return {"predictions": predictions}

    return Step(COMBINE, work)


def scoring(part: Part) -> Step:
    """A member's service: the batches of a question in, scores out."""
    metrics.serving(part.release)

    def work(payload: Json) -> Json:
        if payload.get("release") != part.release:
            raise RequestError("the question is of another release")
        scores, failed = part.scores(batches_of(payload, part.n_items))
        for name, error in failed.items():
            log.error("member %s failed", name, exc_info=error)
        return {"id": payload.get("id"), "release": part.release, "scores": orjson.dumps(scores).decode()}

    return Step(MEMBER, work)


class Guard(Model):  # type: ignore[misc]
    """Stands before one part: whatever happens behind it, the answer is 200 and in time.

    A part that fails five times in a row is left alone for two seconds, then one question tries it.
    """

    def __init__(self, part: str, url: str, members: Collection[str], seconds: float = MEMBER_SECONDS) -> None:
        """Guard a part.

        Args:
            part: its name.
            url: where its service takes questions.
            members: whom it speaks for; of others it is not asked.
            seconds: how long its service may take.
        """
        super().__init__(GUARD + part)
        self._part, self._url, self._members, self._seconds = part, url, frozenset(members), seconds
        self._breaker = Breaker(f"part:{part}", metrics.breaker)
        self._client = httpx.AsyncClient(timeout=seconds, headers={"Content-Type": "application/json"})
        self.ready = True

    def start(self) -> None:
        """Nothing to prepare."""

    async def predict(self, payload: Any, _headers: dict[str, str] | None = None) -> Json:
        """What the part's service says of a question; `not_scored` with a reason, where it says nothing in time."""
        told = payload if isinstance(payload, dict) else {}
        known: Json = {"id": told.get("id"), "release": told.get("release")}
        try:
            batches = self._own(loaded(told, "members"))
            if not any(names for names, _ in batches):
                return known | {"not_scored": "not asked"}
            asked = known | {"members": orjson.dumps(batches).decode()}
            answer = await self._asked(orjson.dumps(asked))
            return known | {"not_scored": "no object"} if answer is None else answer
        except SkippedError:
            return known | {"not_scored": "left alone"}
        except (TimeoutError, httpx.TimeoutException):
            reason = "late"
        except Exception as error:
            reason = type(error).__name__
        log.error("part %s is not scored: %s", self._part, reason)
        return known | {"not_scored": reason}

    def _own(self, batches: list[Any]) -> list[Any]:
        """The batches, put to the members of this part alone."""
        return [[[name for name in names if name in self._members], queries] for names, queries in batches]

    async def _asked(self, body: bytes) -> Json | None:
        """What the part's service says, if it is to be asked; None: no object.

        Raises:
            SkippedError: it has just failed.
        """
        self._breaker.admit()
        try:
            answer = await asyncio.wait_for(self._call(body), self._seconds)
        except BaseException:  # also where nobody waits any more: a question that tries a part has to say how it ended
            self._breaker.failed()
            raise
        if isinstance(answer, dict):
            self._breaker.succeeded()
            return answer
        self._breaker.failed()
        return None

    async def _call(self, body: bytes) -> Any:
        response = await self._client.post(self._url, content=body)
        return orjson.loads(response.raise_for_status().content)
