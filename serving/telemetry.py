"""Where a request's time went, as OpenTelemetry traces: on by the standard environment variables, else not imported.

A request is one span; waiting for its turn, the user's row, every member, the blend and the answer's words are its
children. While it is answered, names and times are noted and nothing else; spans are made of them once the answer has
been sent, and a thread of OpenTelemetry's own sends them on. A collector that is slow or down costs spans, never an
answer. Attributes hold nothing that a customer sent: no ids, no words, no items, no path that is not ours.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from components.common.errors import ConfigError
from serving.door import App, Message, Receive, Send

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL, SERVICE = "http/protobuf", "cuvee"
ROUTES = frozenset({"/v1/models/cuvee:predict", "/v2/models/cuvee/infer", "/v1/events"})
ELSEWHERE = "other"  # a path that is not ours may hold anything
PARENT = b"traceparent"  # W3C; what else a caller's headers carry along is not taken over
FLUSH_S = 2.0  # in which what is not sent yet has to go when the server ends


class Notes:
    """What happened to one request, noted by whatever thread it happened in."""

    def __init__(self) -> None:
        self.parts: list[tuple[str, float, float, str]] = []
        self.said: dict[str, Any] = {}

    def part(self, name: str, since: float, until: float, problem: str = "") -> None:
        """A part was under way between two readings of `time.monotonic()`; *problem*: our word for it."""
        self.parts.append((name, since, until, problem))

    def say(self, scenarios: Sequence[str], answers: Sequence[dict[str, Any]]) -> None:
        """What was asked for and what the answers had to do without, in our own words only."""
        self.said = {
            "cuvee.scenarios": sorted(set(scenarios)),
            "cuvee.instances": len(answers),
            "cuvee.release": answers[0]["release"] if answers else "",
            "cuvee.degraded": sorted({part for answer in answers for part in answer["degraded"]}),
        }


noted: ContextVar[Notes | None] = ContextVar("noted", default=None)
"""The notes of the request under way; None: nobody takes any."""


def wanted() -> bool:
    """Does the environment name a collector, and does it not say no.

    Raises:
        ConfigError: the collector is to be spoken to in another way than by OTLP over HTTP.
    """
    given = os.environ.get
    off = given("OTEL_SDK_DISABLED", "").lower() == "true" or given("OTEL_TRACES_SAMPLER") == "always_off"
    if off or given("OTEL_TRACES_EXPORTER") == "none" or not any(map(given, ENDPOINTS)):
        return False
    protocol = next(filter(None, map(given, PROTOCOLS)), PROTOCOL)
    if protocol != PROTOCOL:
        raise ConfigError(
            f"found {PROTOCOLS[1]}={protocol}, expected {PROTOCOL}. Leave it out and name the port for HTTP, 4318."
        )
    return True


def install(app: FastAPI) -> Callable[[], None]:
    """Trace the POST requests of *app* if the environment wants it, from outside of all that is installed before.

    Returns:
        What sends the rest and ends, within `FLUSH_S`.

    Raises:
        ConfigError: OpenTelemetry's variables cannot be followed.
    """
    if not wanted():
        return lambda: None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    try:
        named = {SERVICE_NAME: SERVICE} | dict(OTELResourceDetector().detect().attributes)
        provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    except ValueError as error:
        raise ConfigError(f"OpenTelemetry cannot be set up: {error}. Look at the variables OTEL_*.") from error
    app.add_middleware(Traced, tracer=provider.get_tracer(__name__))

    def close() -> None:
        sending = threading.Thread(target=provider.shutdown, name="last spans", daemon=True)
        sending.start()
        sending.join(FLUSH_S)

    return close


class Traced:
    """ASGI middleware around all others: one span for each POST request that is sampled."""

    def __init__(self, app: App, tracer: "Tracer") -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._app, self._tracer, self._callers = app, tracer, TraceContextTextMapPropagator()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let the request be answered, then tell of it."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        span = self._begun(scope)
        if not span.is_recording():
            await self._app(scope, receive, send)
            return
        notes, sent = Notes(), [0]

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent[0] = message["status"]
            await send(message)

        token = noted.set(notes)
        try:
            await self._app(scope, receive, sending)
        finally:
            noted.reset(token)
            self._tell(span, notes, sent[0])

    def _begun(self, scope: Message) -> "Span":
        from opentelemetry.trace import SpanKind

        parent = dict(scope["headers"]).get(PARENT, b"").decode("ascii", "replace")
        route = scope["path"] if scope["path"] in ROUTES else ELSEWHERE
        return self._tracer.start_span(
            f"POST {route}",
            self._callers.extract({PARENT.decode(): parent}),
            SpanKind.SERVER,
            {"http.request.method": "POST", "http.route": route},
        )

    def _tell(self, span: "Span", notes: Notes, status: int) -> None:
        """Make spans of the notes; *status* 0: the client left before it was told anything."""
        from opentelemetry.trace import Status, StatusCode, set_span_in_context

        context, epoch = set_span_in_context(span), time.time_ns() - time.monotonic_ns()
        for name, since, until, problem in list(notes.parts):
            child = self._tracer.start_span(name, context, start_time=epoch + round(since * 1e9))
            if problem:
                child.set_status(Status(StatusCode.ERROR, problem))
            child.end(epoch + round(until * 1e9))
        span.set_attributes(notes.said | ({"http.response.status_code": status} if status else {}))
        if status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end()
