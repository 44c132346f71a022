"""A stand-in for Kubeflow's Model Registry: finds, makes and changes as its v1alpha3 routes say, else refuses.

Names are unique below their parent (409), fields are those of the API's schemas (400), what is not there is 404.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]
API = "/api/model_registry/v1alpha3/"
BASE = {"name", "description", "externalId", "customProperties", "state"}
OF_ARTIFACT = {
    "artifactType", "uri", "modelFormatName", "modelFormatVersion", "storageKey", "storagePath", "serviceAccountName",
    "modelSourceKind", "modelSourceClass", "modelSourceGroup", "modelSourceId", "modelSourceName",
}  # fmt: skip
FIELDS = {
    "registered_model": BASE | {"owner"},
    "model_version": BASE | {"author", "registeredModelId"},
    "model_artifact": BASE | OF_ARTIFACT,
}
REQUIRED = {"registered_model": {"name"}, "model_version": {"name", "registeredModelId"}, "model_artifact": set[str]()}


class Registry:
    """What is registered, by kind and id; ids are given out by the registry, as text."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Json]] = {kind: {} for kind in FIELDS}
        self.down = False

    def answer(self, how: str, path: str, asked: dict[str, str], body: Json) -> tuple[int, Json]:
        """Status and body."""
        if self.down:
            return 503, {"code": "503", "message": "no database"}
        kind, *rest = path.removeprefix(API).split("/")
        if how == "GET" and kind in FIELDS:
            found = [one for one in self.kept[kind].values() if _is(one, asked)]
            return (200, found[0]) if found else (404, {"code": "404", "message": "not found"})
        if how == "PATCH" and kind == "model_artifacts" and rest[0] in self.kept["model_artifact"]:
            self.kept["model_artifact"][rest[0]] |= body
            return 200, self.kept["model_artifact"][rest[0]]
        if how == "POST" and (kind, len(rest)) in (("registered_models", 0), ("model_versions", 0)):
            return self._made(kind.removesuffix("s"), body, body.get("registeredModelId", ""))
        if how == "POST" and kind == "model_versions" and rest[1:] == ["artifacts"]:
            return self._made("model_artifact", body, rest[0])
        return 404, {"code": "404", "message": path}

    def _made(self, kind: str, body: Json, parent: str) -> tuple[int, Json]:
        if not REQUIRED[kind] <= body.keys() or not body.keys() <= FIELDS[kind] or not _typed(body):
            return 400, {"code": "400", "message": f"{kind}: {sorted(body)}"}
        if any(_is(one, {"name": body["name"], "parentResourceId": parent}) for one in self.kept[kind].values()):
            return 409, {"code": "409", "message": "already there"}
        made = body | {"id": str(1 + sum(map(len, self.kept.values()))), "parent": parent}
        self.kept[kind][made["id"]] = made
        return 201, made


def _is(one: Json, asked: dict[str, str]) -> bool:
    return (one["name"], one["parent"]) == (asked["name"], asked.get("parentResourceId", ""))


def _typed(body: Json) -> bool:
    """Own properties say their type, and hold text as text."""
    kept = body.get("customProperties", {}).values()
    return all(
        one["metadataType"] == "MetadataStringValue" and isinstance(one["string_value"], str) and len(one) == 2
        for one in kept
    )


@contextmanager
def running_registry() -> Iterator[tuple[Registry, str]]:
    """The registry and its address."""
    registry = Registry()

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            parts = urlsplit(self.path)
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            status, told = registry.answer(self.command, parts.path, asked, body)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())

        do_GET = do_POST = do_PATCH = _do  # noqa: N815  (http.server's names)

        def log_message(self, *_told: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield registry, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
