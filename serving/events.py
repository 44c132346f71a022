"""POST /v1/events: what customers just did, so that their next answer knows it."""

import asyncio
import hashlib
import hmac
import logging
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Annotated

import orjson
from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from components.common.identity import pseudonym
from components.common.moments import moment
from serving.instances import RequestError
from serving.live import Live
from serving.metrics import Kind, happened
from serving.recent import Event, FullError, Recent

log = logging.getLogger(__name__)

ROUTE = "/v1/events"
MAX_EVENTS = 256
COUNTED = 50_000  # events whose ids a process remembers, so that one that is sent again counts once
AHEAD = 5 * 60 * 1_000_000  # µs that a page's clock may be before the server's
UNWRITABLE = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR")  # a read-only mount, no file and no way to make it
BODY = 'the body is a JSON object {"events": [{"event_id", "user_id", "item_id", "event"}, ...]}'

Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class Told(BaseModel):
    """One event as a page tells it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    event_id: Name = Field(description="the page's own id: an event that is sent again counts once")
    user_id: Name = Field(description="as the shop knows the user; only its pseudonym is kept")
    item_id: Name
    event: Kind
    request_id: Name | None = Field(
        default=None, description="the answer's that led to it; it is counted as taken from an answer, and not kept"
    )
    timestamp: Annotated[str, StringConstraints(max_length=40)] | None = Field(
        default=None, description="ISO 8601, UTC where it names no zone; default: now"
    )


class Batch(BaseModel):
    """The body of a request."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    events: Annotated[list[Told], Field(min_length=1, max_length=MAX_EVENTS)]


class Kept(BaseModel):
    """The answer: of the events told, how many are new, were known, or are older than what the features hold."""

    accepted: int
    repeated: int
    late: int


class UnwrittenError(RequestError):
    """Events that cannot be kept now; the same request may be sent again."""

    status = 503


class Events:
    """Takes events for one store."""

    def __init__(self, recent: Recent, live: Callable[[], Live], id_key: bytes) -> None:
        """Take events.

        Args:
            recent: where they are kept.
            live: what answers now; its clock is the clock of events that name no time.
            id_key: the key of the pseudonyms.
        """
        self._recent, self._live, self._key = recent, live, id_key
        self._last, self._lock = 0, threading.Lock()
        self._counted: OrderedDict[str, None] = OrderedDict()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="events")

    def install(self, app: FastAPI) -> None:
        """Put the route into KServe's application, before the server starts."""
        body = {"content": {"application/json": {"schema": Batch.model_json_schema()}}, "required": True}
        app.add_api_route(
            ROUTE, self._post, methods=["POST"], tags=["events"], response_model=Kept,
            summary="Tell what users just did", openapi_extra={"requestBody": body},
        )  # fmt: skip

    async def _post(self, request: Request) -> Kept:
        batch = parse(await request.body())
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.take, batch.events)

    def take(self, told: Sequence[Told]) -> Kept:
        """Keep *told* durably; from the next question on their users have done that.

        Raises:
            RequestError: a time that lies ahead, or is none.
            UnwrittenError: the store cannot be written.
        """
        now, mark = self._live().as_of, self._recent.watermark
        events = [self._event(number, one, max(now, mark)) for number, one in enumerate(told)]
        fresh = [one for one in events if one.at > mark]
        self._count([(one.id, page) for one, page in zip(events, told, strict=True) if one.at > mark])
        try:
            added = self._recent.add(fresh) if fresh else 0
        except (sqlite3.Error, OSError, FullError) as error:
            log.error("events are not kept: %s", error)
            raise UnwrittenError(_why(error)) from error
        return Kept(accepted=added, repeated=len(fresh) - added, late=len(events) - len(fresh))

    def _count(self, told: Sequence[tuple[str, Told]]) -> None:
        """Count what was not counted yet, whether or not it can be kept: a page that is told 503 sends it again."""
        for name, one in told:
            if name not in self._counted:
                happened(one.event, one.request_id is not None)
            self._counted[name] = None
        while len(self._counted) > COUNTED:
            self._counted.popitem(last=False)

    def _event(self, number: int, told: Told, now: int) -> Event:
        name = hmac.new(self._key, told.event_id.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
        at = self._stamp(now) if told.timestamp is None else _time(number, told.timestamp, now)
        return Event(name[:32], pseudonym(told.user_id, self._key), told.item_id, told.event, at)

    def _stamp(self, now: int) -> int:
        """*now*, but after every stamp before: a clock that stands still gives an order all the same."""
        with self._lock:
            self._last = max(now, self._last) + 1
            return self._last


def parse(body: bytes) -> Batch:
    """Check a body.

    Raises:
        RequestError: it breaks the contract; names the field, never its value.
    """
    try:
        return Batch.model_validate(orjson.loads(body))
    except orjson.JSONDecodeError as error:
        raise RequestError(BODY) from error
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])[:80]
        raise RequestError(f"'{where}': {problem['msg']}" if where else BODY) from error


def _why(error: Exception) -> str:
    """What the page is told; a store that cannot be written will not be by itself, a lock or a full store may."""
    if (getattr(error, "sqlite_errorname", None) or "").startswith(UNWRITABLE) or isinstance(error, OSError):
        return "this server's store cannot be written, so events are not kept; send the same ones again once it can"
    return "events cannot be kept at the moment; send the same ones again"


def _time(number: int, text: str, now: int) -> int:
    where = f"'events.{number}.timestamp'"
    try:
        given = datetime.fromisoformat(text)
        given = given if given.tzinfo else given.replace(tzinfo=UTC)
        at = round(given.timestamp() * 1_000_000)
    except (ValueError, OverflowError) as error:
        raise RequestError(f"{where}: expected ISO 8601, such as 2026-01-31T12:00:00Z") from error
    if at < 0 or at > now + AHEAD:
        raise RequestError(
            f"{where} lies ahead of the server's clock, {moment(now).isoformat()}; leave it out, or mend the clock"
        )
    return at
