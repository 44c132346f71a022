"""A stand-in for KServe's graph router: an InferenceGraph's `spec.nodes` executed as its cmd/router executes them.

* The body of any POST is the input of node `root`; the path is ignored. No header but the content type is passed on.
* Sequence: a step gets the request, or with `data: $response` what the step before answered. A step that is a hard
  dependency and not 2xx ends it with its own body and status; the others' status does not matter, but for the last.
* Ensemble: all steps get the same input at once; the answer is {step's name, or its number: its JSON object}, 200.
  A hard dependency that is not 2xx answers for all. Objects pass through Go's maps: numbers become 64-bit floats.
* A step that cannot be reached, or in an Ensemble does not answer with a JSON object, is an error: 500 for the whole
  request, whatever its dependency says.
"""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Call = Callable[[str, bytes], tuple[int, bytes]]
Step = Mapping[str, Any]


class RoutingError(Exception):
    """What the router answers with 500."""


class Router:
    """Executes a graph; *call* posts JSON to a step's URL, and raises OSError where nobody answers."""

    def __init__(self, graph: Mapping[str, Any], call: Call) -> None:
        self._nodes, self._call = graph["spec"]["nodes"], call
        self._threads = ThreadPoolExecutor(max_workers=16)

    def answer(self, body: bytes) -> tuple[int, bytes]:
        """Status and body for a request."""
        try:
            return self._node("root", body)
        except RoutingError as error:
            return 500, json.dumps({"error": "Failed to process request", "cause": str(error)}).encode()

    def _node(self, name: str, body: bytes) -> tuple[int, bytes]:
        node = self._nodes[name]
        if node["routerType"] == "Sequence":
            return self._sequence(node["steps"], body)
        if node["routerType"] == "Ensemble":
            return self._ensemble(node["steps"], body)
        raise RoutingError(f"this stand-in knows Sequence and Ensemble, not {node['routerType']}")

    def _step(self, step: Step, body: bytes) -> tuple[int, bytes]:
        if step.get("nodeName"):
            return self._node(step["nodeName"], body)
        try:
            return self._call(step["serviceUrl"], body)
        except OSError as error:
            raise RoutingError(str(error)) from error

    def _sequence(self, steps: list[Step], body: bytes) -> tuple[int, bytes]:
        status, response = 200, b""
        for number, step in enumerate(steps):
            given = response if step.get("data") == "$response" and number else body
            status, response = self._step(step, given)
            if step.get("dependency") == "Hard" and status // 100 != 2:
                break
        return status, response

    def _ensemble(self, steps: list[Step], body: bytes) -> tuple[int, bytes]:
        running = [self._threads.submit(self._step, step, body) for step in steps]
        merged = {}
        for number, (step, each) in enumerate(zip(steps, running, strict=True)):
            status, response = each.result()
            told = _object(response)
            if step.get("dependency") == "Hard" and status // 100 != 2:
                return status, _written(told)
            merged[step.get("name") or str(number)] = told
        return 200, _written(merged)


def _object(response: bytes) -> dict[str, Any]:
    try:
        told = json.loads(response.decode(errors="replace"), parse_int=float)
    except ValueError as error:
        raise RoutingError(str(error)) from error
    if not isinstance(told, dict):
        raise RoutingError(f"json: cannot unmarshal {type(told).__name__} into a map")
    return told


def _written(told: Any) -> bytes:
    return json.dumps(_whole(told), sort_keys=True).encode()


def _whole(told: Any) -> Any:
    """As Go writes floats: without a point where they are whole."""
    if isinstance(told, dict):
        return {name: _whole(value) for name, value in told.items()}
    if isinstance(told, list):
        return [_whole(value) for value in told]
    return int(told) if isinstance(told, float) and told.is_integer() and abs(told) < 1e21 else told


def http_call(places: Mapping[str, str]) -> Call:
    """Post over HTTP; *places*: by the host of a cluster's URL, where it is here, as http://127.0.0.1:PORT."""

    def call(url: str, body: bytes) -> tuple[int, bytes]:
        host, _, path = url.removeprefix("http://").partition("/")
        request = urllib.request.Request(f"{places[host]}/{path}", body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    return call


@contextmanager
def running_router(router: Router) -> Iterator[str]:
    """The router on a free local port; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            status, body = router.answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
