"""The processes of the graph: `python -m serving.graph.server part|steps ...`, each KServe's ModelServer."""

from components.common import stage  # first: it bounds the threads of linear algebra before numpy is there
from serving import lean

__all__ = ["main", "stage"]

if __name__ == "__main__":
    lean.install()

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from components.common.errors import ConfigError, CuveeError
from serving import logs
from serving.server import QUIET, parse_clock

if TYPE_CHECKING:
    from kserve import Model

    from serving.live import Clock

log = logging.getLogger(__name__)
MOST_BODY = 64 << 20  # of one step: what all parts have scored


def part_models(release: Path, part: str) -> "list[Model]":
    """The model of a part's service.

    Raises:
        ReleaseError: the release is damaged.
    """
    from serving.graph.models import scoring
    from serving.graph.parts import Part

    held = Part.load(release, part)
    log.info("part %s of release %s: %s", part, held.release, ", ".join(held.members) or "no member")
    return [scoring(held)]


def step_models(
    store: Path, release: Path, clock: "Clock", parts: dict[str, str], seconds: float | None = None
) -> "list[Model]":
    """The models of the graph's own service: first and last step, the echo, and a guard for every part.

    Args:
        store: where online features and the key of the pseudonyms are.
        release: the release's folder.
        clock: what "now" is.
        parts: by part, the URL of its service.
        seconds: how long a part may take; None: as usual.

    Raises:
        ReleaseError: the release cannot be trusted.
        ConfigError: nobody speaks for one of its members.
    """
    from components.common.identity import id_key
    from serving.graph import models
    from serving.graph.parts import check_parts, part_of
    from serving.live import Live

    live = Live.load(release, store, clock)
    members = live.engine.members
    check_parts(members.values(), parts)
    guards = [
        models.Guard(
            part,
            url,
            {name for name, one in members.items() if part_of(one, parts) == part},
            seconds or models.MEMBER_SECONDS,
        )
        for part, url in parts.items()
    ]
    return [models.asking(live, id_key(store)), models.echo(), models.combining(live), *guards]


def serve(models: "list[Model]", host: str, port: int) -> None:
    """Answer until SIGTERM."""
    from kserve import ModelServer
    from kserve.model_server import app

    from serving import door

    door.install(app, max_body_bytes=MOST_BODY)

    class Server(ModelServer):  # type: ignore[misc]
        """KServe's server, listening where it is told to."""

        def setup_event_loop(self) -> None:
            self._rest_server.config.host = host
            super().setup_event_loop()

    log.info("serving %s on http://%s:%d", ", ".join(model.name for model in models), host, port)
    lean.settle()
    Server(http_port=port, workers=1, enable_grpc=False, enable_latency_logging=False, grace_period=10).start(models)


def parse_part(text: str) -> tuple[str, str]:
    """`PART=URL`.

    Raises:
        ConfigError: it is not that.
    """
    part, found, url = text.partition("=")
    if not (part and found and url.startswith(("http://", "https://"))):
        raise ConfigError(f"--part: found {text!r}, expected PART=URL, for instance cf=http://cuvee-cf-predictor/...")
    return part, url


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m serving.graph.server", description=__doc__, allow_abbrev=False)
    kinds = parser.add_subparsers(dest="kind", required=True)
    part = kinds.add_parser("part", help="the service of one part: a family of members, or one by its name")
    part.add_argument("--part", required=True, help="popularity, cf, deep, text, rules, or a member's name")
    steps = kinds.add_parser("steps", help="first and last step, and the guards of all parts")
    steps.add_argument("--store", type=Path, required=True, help="folder with the online features")
    steps.add_argument("--as-of", default="release", help="release (its last event), now, or an ISO time")
    steps.add_argument("--part", action="append", default=[], help="PART=URL of its service; one for every part")
    steps.add_argument("--part-seconds", type=float, help="how long a part may take")
    for each in (part, steps):
        each.add_argument("--release", type=Path, required=True, help="the release's folder")
        each.add_argument("--host", default="127.0.0.1")
        each.add_argument("--port", type=int, default=8080)
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Entry of `python -m serving.graph.server`; errors raised on purpose become one message and their exit code."""
    given = _arguments().parse_args(arguments)
    logs.configure()
    for name, level in (QUIET | {"httpx": logging.WARNING}).items():
        logging.getLogger(name).setLevel(level)
    logging.getLogger("kserve").addHandler(logging.NullHandler())  # else KServe configures all logging anew
    try:
        if given.kind == "part":
            models = part_models(given.release, given.part)
        else:
            parts = dict(map(parse_part, given.part))
            models = step_models(given.store, given.release, parse_clock(given.as_of), parts, given.part_seconds)
        serve(models, given.host, given.port)
    except CuveeError as error:
        log.error("%s", error)
        raise SystemExit(error.exit_code) from error


if __name__ == "__main__":
    main()
