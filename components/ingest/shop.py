"""What every source gives: canonical tables, the shop's settings and a counted rule for whatever was changed."""

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from components.common.config import ShopConfig


@dataclass(frozen=True)
class Rule:
    """One named decision about the source's rows, with what it did to how many."""

    rule: str
    table: str
    why: str
    rows_in: int
    rows_out: int
    changed: int

    def as_json(self) -> dict[str, Any]:
        """The rule as `ingest_report.json` holds it."""
        return dict(vars(self))


@dataclass
class Shop:
    """Canonical tables by name (raw user ids still in), the shop's settings and the rules applied."""

    tables: dict[str, pd.DataFrame]
    config: ShopConfig
    rules: list[Rule] = field(default_factory=list)


class Ledger(list[Rule]):
    """The rules of one source, in the order they were applied."""

    def note(self, rule: str, table: str, why: str, rows: int, changed: int) -> None:
        """Count *changed* of *rows* rows that a rule altered or describes; none was removed."""
        self.append(Rule(rule, table, why, rows, rows, int(changed)))

    def keep(self, frame: pd.DataFrame, kept: "pd.Series[bool]", rule: str, table: str, why: str) -> pd.DataFrame:
        """Rows of *frame* where *kept*; counts what the rule removed."""
        out = frame[kept]
        self.append(Rule(rule, table, why, len(frame), len(out), len(frame) - len(out)))
        return out
