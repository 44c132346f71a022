"""GET /v2/health: which release answers, whether it is signed, and what it has to do without, in words for people."""

from collections.abc import Callable
from typing import Any

import orjson
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.live import Live

PATH = "/v2/health"


def install(app: FastAPI, live: Callable[[], Live]) -> None:
    """Add the route to *app*; *live* gives what answers at that moment."""

    def say(_request: Request) -> Response:
        return Response(orjson.dumps(health(live())), media_type="application/json")

    app.router.routes.append(Route(PATH, say))


def health(live: Live) -> dict[str, Any]:
    """What a server says of *live*.

    Returns:
        release: the digest that answers; signed: has a trusted key signed it, false where none is asked for;
        refused: the digest that `current` holds, if that could not be taken, else null; degraded: what every answer
        has to do without; whole: nothing of the kind.
    """
    degraded = list(live.engine.degraded)
    return {
        "release": live.digest,
        "signed": live.signed,
        "refused": live.refused or None,
        "degraded": degraded,
        "whole": not degraded,
    }
