"""The way of the plain V1 question past most of KServe's machinery.

Of what KServe's server spends on a request most goes into routing, wrapping and timing that this one question does not
need. A POST to /v1/models/cuvee:predict whose body is {"instances": [...]} and nothing else is handed to the model
here, through KServe's own `Model.__call__`: its validation, its hooks before and after and its Prometheus figures
stay. All else goes KServe's way, and a test holds both ways to the same answers, errors and headers.
"""

from typing import Any

import orjson
from fastapi import FastAPI
from kserve import Model
from kserve.protocol.rest.server import RESTServer
from starlette.datastructures import Headers

from serving.door import JSON_TYPE, App, Message, Receive, Send, once_more

INSTANCES = "instances"
WRITTEN = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY  # as FastAPI's ORJSONResponse has it


def install(app: FastAPI, model: Model) -> None:
    """Put the shortcut into KServe's application, before the door and before the server starts."""
    app.add_middleware(Shortcut, model=model)


def lighten(server: RESTServer) -> None:
    """Leave out KServe's timings and uvicorn's access log, whose loggers are silent; before the server starts."""
    server._add_middlewares, server.config.access_log = lambda _app: None, False


class Shortcut:
    """ASGI middleware inside the door, which has read the body and words the errors."""

    def __init__(self, app: App, model: Model) -> None:
        self._app, self._model, self._route = app, model, f"/v1/models/{model.name}:predict"

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a plain question; pass on whatever is another."""
        asked = scope["type"] == "http" and scope["path"] == self._route and scope["method"] == "POST"
        if not asked or not self._model.ready:
            await self._app(scope, receive, send)
            return
        message = await receive()
        question = _plain(message)
        if question is None:
            await self._app(scope, once_more(message, receive), send)
            return
        answer, _ = await self._model(question, headers=dict(Headers(scope=scope)))
        body = orjson.dumps(answer, option=WRITTEN)
        headers = [(b"content-length", b"%d" % len(body)), (b"content-type", JSON_TYPE)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _plain(message: Message) -> dict[str, Any] | None:
    """The body if it is whole and {"instances": [...]}; None: KServe is to judge it."""
    if message["type"] != "http.request" or message.get("more_body"):
        return None
    try:
        body = orjson.loads(message["body"])
    except orjson.JSONDecodeError:
        return None
    plain = isinstance(body, dict) and body.keys() == {INSTANCES} and isinstance(body[INSTANCES], list)
    return body if plain else None
