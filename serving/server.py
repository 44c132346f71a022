"""Serve the current release with KServe's ModelServer: `python -m serving.server --store DIR`."""

from components.common import stage  # first: it bounds the threads of linear algebra before numpy is there
from serving import lean

__all__ = ["main", "serve", "stage"]

if __name__ == "__main__":
    lean.install()

import argparse
import functools
import logging
import socket
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from components.common.errors import ConfigError, CuveeError
from serving import logs
from serving.bucket import at_hand

if TYPE_CHECKING:
    from serving.live import Clock

log = logging.getLogger(__name__)

QUIET = {"kserve": logging.CRITICAL, "kserve.trace": logging.WARNING, "uvicorn.access": logging.WARNING}
"""Four log lines a request cost a third of KServe's time; serving.door words and logs the errors."""


def serve(
    store: Path,
    release: Path | None,
    host: str,
    port: int,
    clock: "Clock",
    rules: Path | None = None,
    enable_grpc: bool = False,
    page: bool = False,
    shop: Path | None = None,
    listener: socket.socket | None = None,
    beat: int | None = None,
    light: bool = True,
    deadline_s: float = 0.3,
    max_age_days: float | None = None,
) -> None:
    """Answer until SIGTERM.

    Args:
        store: where `current`, releases and online features are.
        release: serve this folder, whatever `current` says; None: follow `current`.
        host: address to listen on.
        port: port to listen on.
        clock: what "now" is: the release's last event, the wall clock, or µs since the epoch.
        rules: a file of rules, followed over the release's own and read again whenever it changes.
        enable_grpc: listen for V2 over gRPC as well, on KServe's default port.
        page: serve the storefront as well, at /storefront/.
        shop: the shop's own folder: photos, users and queries for the page; None: it goes without.
        listener: the socket to accept from, shared with other workers; None: one of its own at *host* and *port*.
        beat: the pipe to give signs of life through; None: nobody watches.
        light: spare the plain question what KServe's own way costs; False: for comparison.
        deadline_s: seconds in which a question is answered, with what is there by then, or refused.
        max_age_days: behaviour that is older counts as missing; None: behaviour of any age counts.

    Raises:
        ReleaseError: nothing is published, or the release cannot be trusted.
        InputError: *shop* is not a shop's folder.
    """
    from kserve import ModelServer
    from kserve.model_server import app

    from components.common.identity import id_key
    from serving import door, health, metrics, shortcut, telemetry, workers
    from serving.admission import Admission
    from serving.deadline import Split
    from serving.events import Events
    from serving.follower import Follower, last_good
    from serving.live import Live
    from serving.model import CuveeModel
    from serving.pointer import Seen
    from serving.recent import Recent, Watch
    from serving.rules.file import RulesFile

    recent, split, seen = Recent(store), Split(deadline_s), Seen.configured()

    def load(folder: Path) -> Live:
        return Live.load(folder, store, clock, recent, max_age_days)

    live = load(release) if release else last_good(store, load, seen)
    metrics.follows(live.signed, bool(live.refused))
    file = RulesFile(rules) if rules else None
    model = CuveeModel(live.following(file), id_key(store), split)
    if release is None or file is not None:
        Follower(store, live, model.replace, rules=file, releases=release is None, seen=seen).start()
    Watch(recent).start()
    Events(recent, lambda: model.live, id_key(store)).install(app)
    if light:
        shortcut.install(app, model)
    door.install(app, Admission(split.waiting))
    health.install(app, lambda: model.live)
    metrics.install(app, store)
    send_spans = telemetry.install(app)
    if page:
        from serving.storefront.own import OwnShop
        from serving.storefront.page import PREFIX, Storefront

        Storefront(lambda: model.live, OwnShop.read(shop) if shop else None).install(app)
        log.info("the page is http://%s:%d%s/", host, port, PREFIX)

    class Server(ModelServer):  # type: ignore[misc]
        """KServe's server, listening where it is told to."""

        def setup_event_loop(self) -> None:
            config, server = self._rest_server.config, self._rest_server._server
            config.host, server.shutdown = host, functools.partial(workers.finish, server)
            if light:
                shortcut.lighten(self._rest_server)
            if listener is not None:
                server.serve = functools.partial(server.serve, sockets=[listener])
            if beat is not None:
                config.callback_notify, config.timeout_notify = workers.beating(beat), 0
            super().setup_event_loop()

    log.info("serving release %s on http://%s:%d", live.digest, host, port)
    server = Server(http_port=port, workers=1, enable_grpc=enable_grpc, enable_latency_logging=False, grace_period=10)
    lean.settle()
    try:
        server.start([model])
    finally:
        send_spans()


def parse_clock(text: str) -> "Clock":
    """`release`, `now`, or an ISO time (UTC where it names no zone) as µs since the epoch.

    Raises:
        ConfigError: none of these.
    """
    if text == "release":
        return "release"
    if text == "now":
        return "now"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"--as-of: found {text!r}, expected release, now, or an ISO time.") from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1_000_000)


def main(arguments: list[str] | None = None) -> None:
    """Entry of `python -m serving.server`; errors raised on purpose become one message and their exit code."""
    parser = argparse.ArgumentParser(prog="python -m serving.server", description=__doc__, allow_abbrev=False)
    parser.add_argument("--store", type=Path, required=True, help="folder with current, releases and online features")
    parser.add_argument(
        "--release", help="serve this folder, or s3://bucket/path/<digest>, instead of following current"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--as-of", default="release", help="release (its last event), now, or an ISO time")
    parser.add_argument(
        "--rules", type=Path, help="rules to follow over the release's own, read again when they change"
    )
    parser.add_argument("--page", action="store_true", help="serve the storefront as well, at /storefront/")
    parser.add_argument("--shop", type=Path, help="the shop's own folder: photos, users and queries for the page")
    parser.add_argument("--workers", type=int, default=1, help="so many processes answer at the one address")
    parser.add_argument("--deadline-ms", type=float, default=300, help="in which a question is answered (300)")
    parser.add_argument(
        "--max-age-days", type=float, default=400, help="behaviour older than this counts as missing (400)"
    )
    parser.add_argument("--socket", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--beat", type=int, help=argparse.SUPPRESS)
    arguments = sys.argv[1:] if arguments is None else arguments
    given = parser.parse_args(arguments)
    logs.configure()
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(level)
    warnings.filterwarnings("ignore", "ORJSONResponse is deprecated")  # KServe's own choice
    logging.getLogger("kserve").addHandler(logging.NullHandler())  # else KServe configures all logging anew
    try:
        clock = parse_clock(given.as_of)
        if given.workers > 1 and given.socket is None:
            from serving.workers import supervise

            raise SystemExit(supervise(arguments, given.host, given.port, given.workers))
        with at_hand(given.release) as release:
            serve(
                given.store,
                release,
                given.host,
                given.port,
                clock,
                given.rules,
                page=given.page,
                shop=given.shop,
                listener=None if given.socket is None else socket.socket(fileno=given.socket),
                beat=given.beat,
                deadline_s=given.deadline_ms / 1000,
                max_age_days=given.max_age_days,
            )
    except CuveeError as error:
        log.error("%s", error)
        raise SystemExit(error.exit_code) from error


if __name__ == "__main__":
    main()
