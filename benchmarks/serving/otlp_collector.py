"""A small real collector: takes OTLP over HTTP and keeps what it was sent; it may also refuse, fail or hang."""

import contextlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

WELL, FAILS, HANGS, REFUSES = "well", "fails", "hangs", "refuses"
PATH = "/v1/traces"


class Collector:
    """What was sent, by trace; *mood* is how the next batch is met."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.mood, self.met = WELL, 0
        self._server = self._listening(0)
        self.port: int = self._server.server_address[1]

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def be(self, mood: str) -> None:
        """Meet what comes in this way from now on."""
        if (mood == REFUSES) != (self.mood == REFUSES):
            if mood == REFUSES:
                self.close()
            else:
                self._server = self._listening(self.port)
        self.mood, self.met = mood, 0

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()

    def spans(self, trace: str) -> list[Span]:
        """All spans of a trace, the first at the front."""
        requests = [ExportTraceServiceRequest.FromString(body) for body in list(self.bodies)]
        scopes = [scope for request in requests for each in request.resource_spans for scope in each.scope_spans]
        found = [span for scope in scopes for span in scope.spans if span.trace_id.hex() == trace]
        return sorted(found, key=lambda span: span.start_time_unix_nano)

    def _listening(self, port: int) -> ThreadingHTTPServer:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.met += 1
                while collector.mood == HANGS:
                    time.sleep(0.02)
                if collector.mood == WELL and self.path == PATH:
                    collector.bodies.append(body)
                with contextlib.suppress(OSError):
                    self.send_response(200 if collector.mood == WELL else 500)
                    self.send_header("content-length", "0")
                    self.end_headers()

            def log_message(self, *_told: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server


@contextlib.contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that is well, until the block ends."""
    collector = Collector()
    try:
        yield collector
    finally:
        collector.be(WELL)
        collector.close()
