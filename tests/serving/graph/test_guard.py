"""The guard: 200 and in time, whatever the part's service does."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from serving.breaker import FAILURES, REST_S
from serving.graph.models import Guard

Json = dict[str, Any]
QUESTION = {"id": "1", "release": "r", "members": json.dumps([[["als", "tfidf"], {"n": 1}], [["tfidf"], {"n": 2}]])}
SECONDS = 0.5


class Service(BaseHTTPRequestHandler):
    """Answers as its path says, and keeps what it was asked."""

    heard: list[Json]

    def do_POST(self) -> None:
        self.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        kind = self.path.strip("/")
        if kind == "late":
            time.sleep(2 * SECONDS)
        if kind == "resets":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = {"nonsense": b"<html>", "list": b"[1]"}.get(kind, b'{"id": "1", "release": "r", "scores": "[]"}')
        self.send_response(500 if kind == "fails" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if kind != "dribbles":
            self.wfile.write(body)
            return
        for byte in body:  # slowly, but never silent for long
            with contextlib.suppress(OSError):
                self.wfile.write(bytes([byte]))
            time.sleep(SECONDS / 4)

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def service() -> Iterator[tuple[str, list[Json]]]:
    heard: list[Json] = []
    with served(type("Heard", (Service,), {"heard": heard})) as url:
        yield url, heard


@contextlib.contextmanager
def served(kind: type[Service]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def asked(url: str, question: object = QUESTION, members: tuple[str, ...] = ("als",), seconds: float = SECONDS) -> Json:
    return asyncio.run(Guard("cf", url, members, seconds).predict(question))


def test_what_the_part_says_passes_and_it_is_asked_of_its_own_members_alone() -> None:
    with service() as (url, heard):
        assert asked(f"{url}/fine", seconds=30) == {"id": "1", "release": "r", "scores": "[]"}
    assert json.loads(heard[0].pop("members")) == [[["als"], {"n": 1}], [[], {"n": 2}]]
    assert heard[0] == {"id": "1", "release": "r"}


@pytest.mark.parametrize("kind", ["late", "dribbles", "fails", "resets", "nonsense", "list"])
def test_whatever_happens_behind_it_the_answer_is_in_time(kind: str) -> None:
    with service() as (url, _):
        began = time.monotonic()
        told = asked(f"{url}/{kind}")
        assert time.monotonic() - began < 2 * SECONDS + 1
    assert told.pop("not_scored")
    assert told == {"id": "1", "release": "r"}


def test_nobody_there_and_nothing_to_ask() -> None:
    assert asked("http://127.0.0.1:9", seconds=30)["not_scored"] == "ConnectError"
    assert asked("http://127.0.0.1:9", members=("linear",))["not_scored"] == "not asked"
    nothing: list[object] = [{}, [], None, {"members": "["}, {"members": "5"}, {"members": "[5]"}]
    for nonsense in nothing:
        assert "not_scored" in asked("http://127.0.0.1:9", nonsense)


class Moody(Service):
    """Fails, or is late, while its class says so."""

    mood = "fails"

    def do_POST(self) -> None:
        self.path = f"/{type(self).mood}"
        super().do_POST()


@pytest.mark.parametrize("mood", ["fails", "late", "list"])
def test_a_part_that_keeps_failing_is_left_alone_and_tried_again(mood: str) -> None:
    heard: list[Json] = []

    class Own(Moody):
        pass

    Own.heard, Own.mood = heard, mood

    async def ask_on(url: str) -> None:
        guard = Guard("cf", url, ("als",), 0.2)
        for _ in range(FAILURES):
            assert (await guard.predict(QUESTION))["not_scored"] != "left alone"
        assert len(heard) == FAILURES
        began = time.monotonic()
        for _ in range(20):
            assert await guard.predict(QUESTION) == {"id": "1", "release": "r", "not_scored": "left alone"}
        assert time.monotonic() - began < REST_S
        assert len(heard) == FAILURES  # it was not asked
        await asyncio.sleep(REST_S)
        trying = asyncio.ensure_future(guard.predict(QUESTION))
        await asyncio.sleep(0)
        assert (await guard.predict(QUESTION))["not_scored"] == "left alone"  # one tries it, no other
        trying.cancel()  # nobody waits for it any more: the next may try
        with contextlib.suppress(asyncio.CancelledError):
            await trying
        Own.mood = "fine"
        await asyncio.sleep(REST_S)
        assert await guard.predict(QUESTION) == {"id": "1", "release": "r", "scores": "[]"}
        assert await guard.predict(QUESTION) == {"id": "1", "release": "r", "scores": "[]"}

    with served(Own) as url:
        asyncio.run(ask_on(url))


def test_a_question_that_is_none_is_not_the_parts_fault() -> None:
    async def ask_on(url: str) -> None:
        guard = Guard("cf", url, ("als",), 30)
        for _ in range(2 * FAILURES):
            await guard.predict({"members": "["})
        assert (await guard.predict(QUESTION))["scores"] == "[]"

    with service() as (url, _):
        asyncio.run(ask_on(f"{url}/fine"))
