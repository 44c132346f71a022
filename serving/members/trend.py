"""How much more of an item is sold of late than usually: the same scores for everyone."""

from typing import ClassVar

from serving.members.popularity import Popularity
from serving.queries import RECOMMEND


class Trend(Popularity):
    """Log of what is sold now over what is usual, drawn to 0 where little was ever sold.

    What rises says little for whom: it weighs what other members found and finds nothing itself.
    """

    kind: ClassVar[str] = "trend"
    scenarios: ClassVar[frozenset[str]] = frozenset({RECOMMEND})
    recalls: ClassVar[bool] = False
