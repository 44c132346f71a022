"""The routes of the page: its own files, what it asks beside the model, and the headers that hold a browser to them."""

from collections.abc import Callable
from pathlib import Path

import orjson
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match, Route
from starlette.types import Scope

from components.common import columns as c
from serving.live import Live
from serving.storefront import shelf
from serving.storefront.own import OwnShop
from serving.storefront.photos import HEAD_BYTES, photo_path, photo_type

STATIC = Path(__file__).parent / "static"
PREFIX = "/storefront"
JSON = "application/json"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-cache",
}


class Storefront:
    """Answers the page's requests from the release that is served at that moment."""

    def __init__(self, live: Callable[[], Live], shop: OwnShop | None) -> None:
        self._live, self._shop = live, shop
        self._files = {path.name: path.read_bytes() for path in sorted(STATIC.iterdir()) if path.suffix in TYPES}

    def install(self, app: FastAPI) -> None:
        """Add the page to *app*, before its own routes; all of those stay as they are."""
        app.router.routes += [
            _ForBrowsers("/", self.lead),
            Route(PREFIX, self.lead),
            Route(f"{PREFIX}/about", self.about),
            Route(f"{PREFIX}/items", self.items, methods=["POST"]),
            Route(f"{PREFIX}/photos/{{item_id:path}}", self.photo),
            Route(f"{PREFIX}/{{name:path}}", self.file),
        ]

    def lead(self, _request: Request) -> Response:
        """To the page."""
        return RedirectResponse(f"{PREFIX}/", status_code=307, headers=HEADERS)

    def file(self, request: Request) -> Response:
        """One of the page's files; there are no others."""
        name = request.path_params["name"] or "index.html"
        if name not in self._files:
            return Response(status_code=404)
        return Response(self._files[name], media_type=TYPES[Path(name).suffix], headers=HEADERS)

    def about(self, _request: Request) -> Response:
        """See `shelf.about`."""
        return Response(orjson.dumps(shelf.about(self._live().engine, self._shop)), media_type=JSON, headers=HEADERS)

    async def items(self, request: Request) -> Response:
        """See `shelf.items`.

        Raises:
            RequestError: the body is not what `shelf.parse` reads; the door words it.
        """
        wanted = shelf.parse(await request.body())
        found = shelf.items(self._live().engine, wanted, self._shop.root if self._shop else None)
        return Response(orjson.dumps({"items": found}), media_type=JSON, headers=HEADERS)

    def photo(self, request: Request) -> Response:
        """The photo of an item, in a thread of its own."""
        catalogue = self._live().engine.catalogue
        row = catalogue.rows.get(request.path_params["item_id"])
        if row is None or self._shop is None or c.IMAGE not in catalogue.items:
            return Response(status_code=404)
        path = photo_path(self._shop.root, catalogue.items[c.IMAGE].iat[row])
        content = path.read_bytes() if path else b""
        kind = photo_type(content[:HEAD_BYTES])
        if kind is None:
            return Response(status_code=404)
        own = {"Content-Security-Policy": "default-src 'none'; sandbox", "Cache-Control": "private, max-age=300"}
        return Response(content, media_type=kind, headers=HEADERS | own)


class _ForBrowsers(Route):
    """A route that is there only for whoever asks for a page: KServe answers the others on the same path."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As Route's, where the request accepts HTML."""
        accepts = dict(scope.get("headers", ())).get(b"accept", b"") if scope["type"] == "http" else b""
        return super().matches(scope) if b"text/html" in accepts else (Match.NONE, {})
