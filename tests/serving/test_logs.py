"""What is logged: lines for a terminal, JSON elsewhere, and of an error never its message."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from serving import logs

WHO = "jane@example.org"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def fail(secret: str) -> None:
    try:
        {"": 0}[secret]
    except KeyError as error:
        raise ValueError(f"no such customer: {secret}") from error


def log_one(stream: io.StringIO) -> str:
    logs.configure(stream)
    try:
        fail(WHO)
    except ValueError:
        logging.getLogger("serving.engine").exception("member %s failed", "als")
    return stream.getvalue()


def test_elsewhere_each_line_is_one_object() -> None:
    (line,) = log_one(io.StringIO()).splitlines()
    told = json.loads(line)
    assert (told["level"], told["logger"], told["message"]) == ("ERROR", "serving.engine", "member als failed")
    assert told["time"].endswith("+00:00")
    assert [one["kind"] for one in told["errors"]] == ["KeyError", "ValueError"]
    assert "in fail" in told["errors"][0]["frames"][0]
    assert set(told) == {"time", "level", "logger", "message", "errors"}


def test_a_terminal_gets_lines_to_read() -> None:
    first, *rest = log_one(Terminal()).splitlines()
    assert first.endswith(" ERROR member als failed")
    assert rest[0] == "KeyError"
    assert "ValueError" in rest


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_an_errors_message_is_not_told(stream: type[io.StringIO]) -> None:
    told = log_one(stream())
    assert WHO not in told


def test_what_is_no_error_says_no_more_than_its_message() -> None:
    stream = io.StringIO()
    logs.configure(stream)
    logging.getLogger("any").info("release %s\nof today", "ab")
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["message"] == "release ab\nof today"
    assert "errors" not in json.loads(line)
