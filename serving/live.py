"""The release that answers: verified, loaded, tried on its own smoke requests, and replaced when `current` moves."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from components.common.errors import CuveeError, ReleaseError
from components.common.files import read_json
from serving.campaigns import IN_STORE
from serving.catalogue import Catalogue
from serving.current import DIGEST, POINTER, RELEASES, current_digest
from serving.deadline import FEATURES, part
from serving.engine import Engine
from serving.instances import Instance, RequestError, parse_all
from serving.recent import Recent
from serving.rules.file import RulesFile
from serving.states import UserStates

if TYPE_CHECKING:
    from serving.features import StatePort

log = logging.getLogger(__name__)

Clock = int | Literal["release", "now"]
MODEL_NAME = "cuvee"
SMOKE_FILE = "smoke.json"
RETRY_S = 2.0
FEW_USERS = 16  # more of them take the store long though it is well


class Features:
    """The store's online features, opened at first use; while they cannot be opened, tried again every 2 s.

    max_age_days: rows older than this count as missing; None: rows of any age count.
    """

    def __init__(self, store: Path, catalogue: Catalogue, max_age_days: float | None = None) -> None:
        self._store, self._catalogue, self.max_age_days = store, catalogue, max_age_days
        self._port: StatePort | None = None
        self._retry_at = 0.0

    def states(self, user_ids: Sequence[str], as_of: int | None) -> UserStates:
        """What is known of the users; raises whatever the store raises: the engine then answers without it."""
        with part(FEATURES, hurried=len(user_ids) <= FEW_USERS):
            if self._port is None:
                self._port = self._open()
            return self._port.states(user_ids, as_of)

    def warm(self, as_of: int) -> None:
        """Ask once, so that no customer waits for Feast to be imported; a failure is logged, not raised."""
        try:
            self.states(["nobody"], as_of)
        except Exception as error:
            log.warning("user features do not answer yet: %s", error)

    def _open(self) -> "StatePort":
        if time.monotonic() < self._retry_at:
            raise ConnectionError("the feature store could not be opened a moment ago")
        self._retry_at = time.monotonic() + RETRY_S
        from serving.features import OnlineStates  # late: imports Feast

        return OnlineStates(self._store, self._catalogue, self.max_age_days)


@dataclass(frozen=True)
class Live:
    """A release in memory with its user features and its clock."""

    engine: Engine
    features: Features
    clock: Clock
    recent: Recent | None = None  # what users did since the features were written

    @classmethod
    def load(
        cls,
        release: Path,
        store: Path,
        clock: Clock,
        recent: Recent | None = None,
        max_age_days: float | None = None,
    ) -> "Live":
        """Verify every byte, load, and answer the release's own smoke requests; *max_age_days*: see `Features`.

        Raises:
            ReleaseError: the release is damaged, or does not answer what it was packaged with.
        """
        try:
            engine = Engine.load(release)
            engine.campaigns = engine.campaigns.meant_for(store / IN_STORE)
            if DIGEST.fullmatch(release.name) and release.name != engine.digest:
                raise ReleaseError(f"{release} holds release {engine.digest}. Publish it again.")
            live = cls(engine, Features(store, engine.catalogue, max_age_days), clock, recent)
            smoke = read_json(release / SMOKE_FILE)
            sizes = [len(answer["items"]) for answer in live.answer(parse_all(smoke["instances"]))]
        except ReleaseError:
            raise
        except Exception as error:
            raise ReleaseError(f"{release}: verified, but it cannot answer: {error}. Package it again.") from error
        if sizes != smoke["answers"]:
            raise ReleaseError(f"{release}: its smoke requests gave {sizes} items, expected {smoke['answers']}.")
        live.features.warm(live.as_of)
        return live

    def following(self, file: RulesFile | None) -> "Live":
        """The same release, following the rules of *file* over its own; None: its own."""
        if file is None:
            return self
        rules = self.engine.rules if file.rules is None else file.rules.over(self.engine.rules)
        return replace(self, engine=self.engine.with_rules(rules, ("rules",) if file.refused else ()))

    @property
    def digest(self) -> str:
        """The release's digest."""
        return self.engine.digest

    @property
    def as_of(self) -> int:
        """The moment of a question asked now, microseconds since the epoch."""
        if self.clock == "now":
            return time.time_ns() // 1000
        return self.engine.as_of if self.clock == "release" else self.clock

    def answer(self, instances: list[Instance]) -> list[dict[str, Any]]:
        """Answer parsed instances, whose user ids are pseudonyms.

        Raises:
            RequestError: a scenario or a member that this release does not have.
        """
        for instance in instances:
            self._check(instance)
        port: StatePort = self.features
        if self.recent is not None:
            port = self.recent.over(port, self.engine.catalogue, self.engine.shop.event_weights)
        return self.engine.answer(instances, port, self.as_of)

    def _check(self, instance: Instance) -> None:
        engine = self.engine
        if not engine.serves(instance.scenario, instance.context.get("new_only")):
            raise RequestError(f"scenario '{instance.scenario}' is not served by this release")
        unknown = sorted(instance.weights.keys() - engine.members.keys())
        if unknown:
            raise RequestError(f"weights: no member {unknown[0][:64]!r}; members: {', '.join(engine.members)}")


class Follower(threading.Thread):
    """Looks at `current` and at the rules every second and hands over what is new; what is damaged is refused, once."""

    def __init__(
        self,
        store: Path,
        live: Live,
        replace: Callable[[Live], None],
        period_s: float = 1.0,
        rules: RulesFile | None = None,
        releases: bool = True,
    ) -> None:
        """Follow a store and a file.

        Args:
            store: its `current` names the release.
            live: what is served now, as its release has it.
            replace: takes what is to be served.
            period_s: seconds between two looks.
            rules: followed over the release's own; None: there are none.
            releases: False: `current` is not followed.
        """
        super().__init__(name="follower", daemon=True)
        self._store, self._live, self._replace, self._period_s = store, live, replace, period_s
        self._rules, self._releases = rules, releases
        self._refused: tuple[str, int] | None = None
        self._stopped = threading.Event()

    def run(self) -> None:
        """Look until stopped."""
        while not self._stopped.wait(self._period_s):
            self.look()

    def stop(self) -> None:
        """End after the look under way."""
        self._stopped.set()

    def look(self) -> None:
        """Look once: take what is new, keep what there is if that fails."""
        if self._rules is not None and self._rules.look():
            self._replace(self._live.following(self._rules))
        if self._releases:
            self._look_at_current()

    def _look_at_current(self) -> None:
        seen: tuple[str, int] | None = None
        try:
            digest = current_digest(self._store)
            if digest is None or digest == self._live.digest:
                return
            seen = (digest, (self._store / POINTER).stat().st_mtime_ns)
            if seen != self._refused:
                old = self._live
                self._live = Live.load(
                    self._store / RELEASES / digest, self._store, old.clock, old.recent, old.features.max_age_days
                )
                self._replace(self._live.following(self._rules))
                log.info("now serving release %s", digest)
        except (CuveeError, OSError) as error:
            if seen is None or seen != self._refused:
                log.error("keeping release %s: %s", self._live.digest, error)
            self._refused = seen
