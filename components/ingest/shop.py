"""What every source gives: canonical tables, the shop's settings and a counted correction for whatever was changed."""

from dataclasses import dataclass, field

import pandas as pd

from components.common.config import ShopConfig
from components.common.corrections import Correction


@dataclass
class Shop:
    """Canonical tables by name (raw user ids still in), the shop's settings and the corrections made."""

    tables: dict[str, pd.DataFrame]
    config: ShopConfig
    corrections: list[Correction] = field(default_factory=list)


class Ledger(list[Correction]):
    """The corrections of one source, in the order they were applied."""

    def note(self, name: str, table: str, why: str, rows: int, changed: int) -> None:
        """Count *changed* of *rows* rows that a correction altered or describes; none was removed."""
        self.append(Correction(name, table, why, rows, rows, int(changed)))

    def keep(self, frame: pd.DataFrame, kept: "pd.Series[bool]", name: str, table: str, why: str) -> pd.DataFrame:
        """Rows of *frame* where *kept*; counts what the correction removed."""
        out = frame[kept]
        self.append(Correction(name, table, why, len(frame), len(out), len(frame) - len(out)))
        return out
