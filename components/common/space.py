"""What a search may try: one range or list of options per name. Data, so that any searcher can read it."""

from collections.abc import Mapping
from typing import Any

from components.common.config import Config


class Range(Config):
    """Numbers from *low* to *high*, both included."""

    low: float
    high: float
    log: bool = False  # are factors tried rather than steps
    whole: bool = False  # whole numbers only

    def holds(self, value: object) -> bool:
        """Is *value* inside."""
        return isinstance(value, int | float) and self.low <= value <= self.high


class Choice(Config):
    """One of a few values; None may be one."""

    options: tuple[Any, ...]

    def holds(self, value: object) -> bool:
        """Is *value* one of them."""
        return value in self.options


Space = Mapping[str, Range | Choice]
