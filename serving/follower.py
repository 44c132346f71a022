"""Which release answers: the one that `current` names, or while that cannot be taken, the one before."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from components.common.errors import CuveeError, ReleaseError
from serving import lean, metrics
from serving.current import POINTER, RELEASES, served
from serving.live import Live
from serving.pointer import Pointer, Seen
from serving.rules.file import RulesFile
from serving.signature import Trust

log = logging.getLogger(__name__)

LOOK_S = 0.25
UNREADABLE = "unreadable"  # refused, where `current` holds no digest


def last_good(store: Path, load: Callable[[Path], Live], seen: Seen | None = None) -> Live:
    """What `current` names; if that is refused, the release served before it that *load* takes, and that says so.

    Where keys are trusted, that is what *seen* holds, or what the signed pointer names for it: the store's own list of
    what was served is nobody's word.

    Raises:
        ReleaseError: nothing is published, or none of what was served can be taken: the reason of the first.
    """
    pointer, trust, seen = Pointer.read(store), Trust.configured(), seen or Seen()
    if pointer is None:
        raise ReleaseError(f"{store} holds no published release. Run `cuvee run --store {store}` first.")
    standing = [seen.digest] if trust.keys else served(store)
    try:
        seen.check(pointer, trust)
        standing += [pointer.before] if trust.keys else []
        live = load(store / RELEASES / pointer.digest)
    except ReleaseError as error:
        for other in filter(None, standing):
            with suppress(ReleaseError):
                found = load(store / RELEASES / other) if other != pointer.digest else None
                if found is not None:
                    log.error("serving the earlier release %s: %s", other, error)
                    return replace(found, refused=pointer.digest)
        raise
    seen.note(pointer)
    return live


class Follower(threading.Thread):
    """Looks at `current` and at the rules and hands over what is new; what cannot be taken is refused, once."""

    def __init__(
        self,
        store: Path,
        live: Live,
        replace: Callable[[Live], None],
        period_s: float = LOOK_S,
        rules: RulesFile | None = None,
        releases: bool = True,
        seen: Seen | None = None,
    ) -> None:
        """Follow a store and a file.

        Args:
            store: its `current` names the release.
            live: what is served now, as its release has it.
            replace: takes what is to be served.
            period_s: seconds between two looks.
            rules: followed over the release's own; None: there are none.
            releases: False: `current` is not followed.
            seen: the pointers that have been followed so far; None: none.
        """
        super().__init__(name="follower", daemon=True)
        self._store, self._live, self._replace, self._period_s = store, live, replace, period_s
        self._rules, self._releases = rules, releases
        self._seen, self._followed = seen or Seen(), Pointer(live.digest)
        self._refused: tuple[str, int] | None = None
        self._taken = False  # a release since the last look
        self._stopped = threading.Event()

    def run(self) -> None:
        """Look until stopped; whatever a look meets, the next one follows."""
        while not self._stopped.wait(self._period_s):
            try:
                self.look()
            except Exception:
                log.exception("keeping release %s", self._live.digest)

    def stop(self) -> None:
        """End after the look under way."""
        self._stopped.set()

    def look(self) -> None:
        """Look once: take what is new, keep what there is if that fails; free what the last look replaced."""
        if self._taken:
            self._taken = False
            lean.settle()
        if self._rules is not None and self._rules.look():
            self._replace(self._live.following(self._rules))
        if self._releases:
            self._look_at_current()

    def _look_at_current(self) -> None:
        seen = (UNREADABLE, 0)
        try:
            pointer = Pointer.read(self._store)
            if pointer is None or (pointer == self._followed and not self._live.refused):
                return
            seen = (pointer.digest, (self._store / POINTER).stat().st_mtime_ns)
            if seen != self._refused:
                self._follow(pointer)
                self._refused = None
        except (CuveeError, OSError) as error:
            if seen != self._refused:
                log.error("keeping release %s: %s", self._live.digest, error)
                self._hand_over(replace(self._live, refused=seen[0]))
            self._refused = seen

    def _follow(self, pointer: Pointer) -> None:
        """Take what *pointer* names, if whoever moved it may.

        Raises:
            ReleaseError: they may not, or it cannot be taken.
        """
        self._seen.check(pointer, Trust.configured())
        if pointer.digest != self._live.digest or self._live.refused:
            self._take(pointer.digest)
        self._seen.note(pointer)
        self._followed = pointer

    def _take(self, digest: str) -> None:
        """Load what `current` names and hand it over; the release that answers, if it is named again."""
        began = time.perf_counter()
        now, folder = self._live, self._store / RELEASES / digest
        if now.digest == digest:
            self._hand_over(replace(now, refused=""))
        else:
            oldest = now.features.max_age_days
            self._hand_over(Live.load(folder, self._store, now.clock, now.recent, oldest, now))
            self._taken = True
        log.info("now serving release %s, taken in %.2f s", digest, time.perf_counter() - began)

    def _hand_over(self, live: Live) -> None:
        self._live = live
        self._replace(live.following(self._rules))
        metrics.follows(live.signed, bool(live.refused))
