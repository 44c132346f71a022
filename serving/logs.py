"""What servers log: a line a person reads on a terminal, one JSON object a line everywhere else.

Of an error its kind and where it rose, never its message: that may quote what a customer asked or who she is.
"""

import logging
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TextIO

import orjson

PLAIN = "%(asctime)s %(levelname)s %(message)s"


class Plain(logging.Formatter):
    """Lines for a person; below an error's own line its frames."""

    def formatException(self, ei: object) -> str:  # noqa: N802 logging's own name
        """Kinds and frames, the cause first."""
        error = ei[1] if isinstance(ei, tuple) else None
        return "\n".join(f"{kind}\n{''.join(frames).rstrip()}" for kind, frames in _chain(error))


class Lines(logging.Formatter):
    """One JSON object a line: time (ISO 8601, UTC), level, logger, message; of an error also `errors`, cause first."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["errors"] = [{"kind": kind, "frames": frames} for kind, frames in _chain(record.exc_info[1])]
        return orjson.dumps(line, default=str).decode()


def configure(stream: TextIO | None = None) -> None:
    """Log to *stream*, by default the standard error stream; what was set up before is replaced."""
    stream = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Plain(PLAIN) if stream.isatty() else Lines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def _chain(error: BaseException | None) -> Iterator[tuple[str, list[str]]]:
    """Of an error and of what it came from, the first first: the kind and the frames."""
    if error is not None:
        yield from _chain(error.__cause__ or (None if error.__suppress_context__ else error.__context__))
        yield type(error).__name__, traceback.format_tb(error.__traceback__)
