"""What every request passes before KServe sees it, and every error on its way out.

KServe hands raw bytes to a model when the content type is unknown, sets no size limit, offers routes that unload
models, and puts class names into bodies. This ASGI layer bounds the request and gives every error one shape:
{"error": what was wrong, "id": opaque, the same as in the log}.
"""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError

from serving import metrics
from serving.admission import Admission, BusyError
from serving.instances import RequestError

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 256 * 1024
BODY_S = 10.0  # in which a body must have arrived
QUESTIONS = (":predict", "/infer")  # how the routes end on which the engine is asked
MAX_DRAINED_BYTES = 2 << 20  # of a body that is refused: who is cut off while sending does not read why
JSON_TYPE = b"application/json"
HIDDEN = "/v2/repository"  # KServe's model control: loads and unloads models for whoever asks
SAID = {
    400: "the body is not the JSON of a V1 or V2 request",
    404: "no such model or route; ask POST /v1/models/cuvee:predict or POST /v2/models/cuvee/infer",
    405: "this route does not take this method",
    408: "the body did not arrive in time",
    503: "the model is not ready",
}
INSTEAD = {501: 404}  # KServe's routes that this model does not have


def install(app: FastAPI, admission: Admission | None = None, max_body_bytes: int = MAX_BODY_BYTES) -> None:
    """Put the door in front of KServe's application, before the server starts; without *admission* all may enter."""
    app.add_middleware(Door, admission=admission, max_body_bytes=max_body_bytes)
    app.add_exception_handler(RequestValidationError, _unreadable)


async def _unreadable(_request: Request, _error: Exception) -> Response:
    """FastAPI's own handler repeats the body, and fails where it holds NaN or half a character."""
    return Response(status_code=400)


class _Refused(Exception):  # noqa: N818  (never leaves this module)
    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message


class Door:
    """ASGI middleware around KServe's application."""

    def __init__(self, app: App, admission: Admission | None = None, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._app, self._admission, self._limit = app, admission, max_body_bytes

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Check the request, let KServe answer, and put errors into words."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        reply = _Reply(send)
        began = time.perf_counter()
        try:
            await self._pass(scope, receive, reply)
        except _Refused as refused:
            await reply.error(refused.status, refused.message)
        except RequestError as error:
            await reply.error(error.status, str(error))
        except Exception:
            log.exception("request %s failed", reply.id)
            await reply.error(500, "the request could not be answered; the server's log has the reason under this id")
        finally:
            metrics.answered(scope["method"], reply.sent, began + reply.held)

    async def _pass(self, scope: Message, receive: Receive, reply: "_Reply") -> None:
        try:
            checked = _checked(scope, self._limit)
        except _Refused:
            if _announced(scope) <= MAX_DRAINED_BYTES:
                await _read(receive, 0)
            raise
        body = await _read(receive, self._limit)
        if body is None:
            raise _too_large(self._limit)
        again = once_more({"type": "http.request", "body": body, "more_body": False}, receive)
        if self._admission is None or checked["method"] != "POST" or not checked["path"].endswith(QUESTIONS):
            await self._app(checked, again, reply)
            return
        try:
            entered = self._admission.enter()
        except BusyError:
            del body, again  # whoever is held holds no memory
            reply.held = await self._admission.hold()
            raise
        try:
            await self._app(checked, again, reply)
        finally:
            self._admission.leave(entered, reply.sent == 200)


class _Reply:
    """Passes answers on; holds errors back and words them anew."""

    def __init__(self, send: Send) -> None:
        self._send, self._status, self._started = send, 0, False
        self.sent = 499  # what the client was told; it left before, if it was told nothing
        self.held = 0.0  # seconds that a refusal was held back, which is no time that the server took
        self.id = uuid.uuid4().hex

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
        if self._status < 400:
            self._started, self.sent = True, self._status
            await self._send(message)
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            status = INSTEAD.get(self._status, self._status)
            await self.error(status, SAID.get(status, "the request could not be answered"))

    async def error(self, status: int, message: str) -> None:
        """Answer with an error, unless an answer has begun."""
        if self._started:
            return
        self._started, self.sent = True, status
        body = json.dumps({"error": message, "id": self.id}).encode()
        headers = [(b"content-type", JSON_TYPE), (b"content-length", str(len(body)).encode())]
        if status in (408, 413):
            headers.append((b"connection", b"close"))
        if status == 429:
            headers.append((b"retry-after", b"1"))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def _checked(scope: Message, limit: int) -> Message:
    """The scope with the headers KServe may see.

    Raises:
        _Refused: a hidden route, a body announced too large, or one that is not plain JSON.
    """
    headers: dict[bytes, bytes] = dict(scope["headers"])
    if scope["path"].startswith(HIDDEN):
        raise _Refused(404, SAID[404])
    if _announced(scope) > limit:
        raise _too_large(limit)
    if scope["method"] == "POST":
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind != JSON_TYPE or headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise _Refused(415, "send plain JSON with Content-Type: application/json")
    kept = [pair for pair in scope["headers"] if not _confusing(pair[0])]
    return {**scope, "headers": [*kept, (b"content-type", JSON_TYPE)]}


def _confusing(name: bytes) -> bool:
    """Headers by which KServe would read the body as something else than JSON."""
    return name in (b"content-type", b"inference-header-content-length") or name.startswith(b"ce-")


def _announced(scope: Message) -> int:
    """Bytes of the body by its own account, 0 where it gives none; what is no number is too many."""
    length = dict(scope["headers"]).get(b"content-length", b"0")
    return int(length[:20]) if length.isdigit() else MAX_DRAINED_BYTES + 1


async def _read(receive: Receive, limit: int) -> bytes | None:
    """The body, or None if it is larger than *limit*: then up to `MAX_DRAINED_BYTES` of it are taken and dropped.

    Raises:
        _Refused: it did not arrive in time.
    """
    try:
        async with asyncio.timeout(BODY_S):
            return await _received(receive, limit)
    except TimeoutError as error:
        raise _Refused(408, SAID[408]) from error


async def _received(receive: Receive, limit: int) -> bytes | None:
    parts: list[bytes] = []
    size, more = 0, True
    while more and size <= max(limit, MAX_DRAINED_BYTES):
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        part = message.get("body", b"")
        size, more = size + len(part), message.get("more_body", False)
        parts.append(part)
        if size > limit:
            parts.clear()
    return None if size > limit else b"".join(parts)


def _too_large(limit: int) -> _Refused:
    return _Refused(413, f"the body is larger than {limit} bytes; ask in several requests")


def once_more(message: Message, receive: Receive) -> Receive:
    """Give *message*, which has been read, once more; then what the client does next."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return message

    return again
