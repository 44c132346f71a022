"""Who asks and for what, counted in bins: Prometheus tells a day from the week before (infra/monitoring/alerts.yaml).

Counts add up over workers and replicas, which a distance computed in each of them would not.
"""

from bisect import bisect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from components.common.moments import DAY
from serving.instances import Instance
from serving.queries import ASKED, BUNDLE, SIMILAR
from serving.states import UserStates

if TYPE_CHECKING:
    from serving.features import StatePort

SCENARIO, HISTORY, IDLE, FOUND, ITEM = "scenario", "history", "idle", "found", "item"
ANONYMOUS, NOTHING = "anonymous", "nothing"
ITEMS, DAYS = (1, 5, 20, 100), (1, 7, 28, 91)  # where a bin ends and the next begins
HISTORIES = (NOTHING, "1-4 items", "5-19 items", "20-99 items", "100 items and more")
IDLES = ("under 1 day", "1-6 days", "7-27 days", "28-90 days", "91 days and more")
BINS = {
    SCENARIO: ASKED,
    HISTORY: (ANONYMOUS, *HISTORIES),
    IDLE: IDLES,
    FOUND: (NOTHING, "some", "all asked for"),
    ITEM: ("known", "unknown"),
}
"""What is told apart, and by which bins; a question falls into one bin of each, or into none where it does not apply.

history: distinct items known of the user. idle: since the user's last event. found: of the k that were asked for.
item: does the release know the items of `similar` and `bundle`.
"""
UNKNOWN_ITEM = "unknown_item"


class Known(NamedTuple):
    """What is known of a user: distinct items, and days since the last event; None where nothing tells."""

    items: int
    idle: float | None


class Noting:
    """A port of user states that remembers what it said of whom; *ordinal*: times give order only, and no days."""

    def __init__(self, port: "StatePort", ordinal: bool) -> None:
        self._port, self._ordinal, self.said = port, ordinal, dict[str, Known]()

    def states(self, user_ids: Sequence[str], as_of: int | None) -> UserStates:
        """As the port's."""
        states = self._port.states(user_ids, as_of)
        ends = states.indptr.tolist()
        for row, user in enumerate(user_ids):
            items = ends[row + 1] - ends[row]
            idle = (int(states.as_of[row]) - int(states.last_at[ends[row + 1] - 1])) / DAY if items else None
            self.said[user] = Known(items, None if self._ordinal else idle)
        return states


def bins(instance: Instance, answer: dict[str, Any], said: dict[str, Known]) -> list[tuple[str, str]]:
    """(what, bin) of one question, as BINS has them; *said*: what is known of users by pseudonym."""
    found = len(answer["items"])
    told = [(SCENARIO, instance.scenario), (FOUND, BINS[FOUND][(found > 0) + (found >= instance.k)])]
    if instance.scenario in (SIMILAR, BUNDLE):
        return [*told, (ITEM, BINS[ITEM][UNKNOWN_ITEM in answer["degraded"]])]
    if not instance.user_id:
        return [*told, (HISTORY, ANONYMOUS)]
    known = said.get(instance.user_id)
    if known is None:  # the feature store could not be asked: CuveeDegraded is about that
        return told
    told.append((HISTORY, HISTORIES[bisect(ITEMS, known.items)]))
    return told if known.idle is None else [*told, (IDLE, IDLES[bisect(DAYS, known.idle)])]
