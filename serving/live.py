"""The release that answers: verified, loaded, tried on its own smoke requests."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from components.common.errors import ConfigError, ReleaseError
from serving.campaigns import IN_STORE
from serving.catalogue import Catalogue
from serving.current import DIGEST
from serving.deadline import FEATURES, part
from serving.drift import Noting, bins
from serving.engine import Engine
from serving.instances import Instance, RequestError
from serving.lean import give_back
from serving.recent import Recent
from serving.release import vouched_for
from serving.rules.file import RulesFile
from serving.signature import Trust
from serving.smoke import try_out
from serving.states import UserStates

if TYPE_CHECKING:
    from serving.features import StatePort

log = logging.getLogger(__name__)

Clock = int | Literal["release", "now"]
MODEL_NAME = "cuvee"
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
    """A release in memory with its user features and its clock.

    signed: a key that is trusted here has signed it. refused: the digest that `current` holds, if that release could
    not be taken and this one answers instead.
    """

    engine: Engine
    features: Features
    clock: Clock
    recent: Recent | None = None  # what users did since the features were written
    signed: bool = False
    refused: str = ""

    @classmethod
    def load(
        cls,
        release: Path,
        store: Path,
        clock: Clock,
        recent: Recent | None = None,
        max_age_days: float | None = None,
        before: "Live | None" = None,
    ) -> "Live":
        """Check who signed it, verify every byte, load, and answer the release's own smoke requests as when packaged.

        *max_age_days*: see `Features`. What it shares with *before*, which is served now, is not loaded a second time.

        Raises:
            ReleaseError: the release is damaged, not signed by whom it has to be, or does not answer what it was
                packaged with.
            ConfigError: the keys that are trusted cannot be read.
        """
        try:
            signed = vouched_for(release, Trust.configured())
            engine = Engine.load(release, before.engine if before is not None else None)
            named = release.name if DIGEST.fullmatch(release.name) else engine.digest
            if {engine.digest, named, signed or named} != {named}:
                raise ReleaseError(f"{release} holds release {engine.digest}. Publish it again.")
            engine.campaigns = engine.campaigns.meant_for(store / IN_STORE)
            try_out(engine, release)
            shared = before is not None and before.engine.catalogue is engine.catalogue
            features = before.features if before is not None and shared else None
            features = features or Features(store, engine.catalogue, max_age_days)
            live = cls(engine, features, clock, recent, signed is not None)
        except (ReleaseError, ConfigError):
            raise
        except Exception as error:
            raise ReleaseError(f"{release}: verified, but it cannot answer: {error}. Package it again.") from error
        live.features.warm(live.as_of)
        give_back()
        return live

    def following(self, file: RulesFile | None) -> "Live":
        """The same release, following the rules of *file* over its own; None: its own. Answers say what is lacking."""
        lacks = (*(["rules"] if file is not None and file.refused else []), *(["release"] if self.refused else []))
        if file is None and not lacks:
            return self
        rules = file.rules.over(self.engine.rules) if file is not None and file.rules is not None else self.engine.rules
        return replace(self, engine=self.engine.with_rules(rules, lacks))

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
        return [answer for answer, _ in self.told(instances)]

    def told(self, instances: list[Instance]) -> list[tuple[dict[str, Any], list[tuple[str, str]]]]:
        """The same, each with the bins that its question falls into; see serving.drift."""
        for instance in instances:
            self._check(instance)
        port: StatePort = self.features
        if self.recent is not None:
            port = self.recent.over(port, self.engine.catalogue, self.engine.shop.event_weights)
        noting = Noting(port, self.engine.shop.ordinal_time)
        answers = self.engine.answer(instances, noting, self.as_of)
        return [(answer, bins(one, answer, noting.said)) for one, answer in zip(instances, answers, strict=True)]

    def _check(self, instance: Instance) -> None:
        engine = self.engine
        if not engine.serves(instance.scenario, instance.context.get("new_only")):
            raise RequestError(f"scenario '{instance.scenario}' is not served by this release")
        unknown = sorted(instance.weights.keys() - engine.members.keys())
        if unknown:
            raise RequestError(f"weights: no member {unknown[0][:64]!r}; members: {', '.join(engine.members)}")
