"""What was changed in a table on its way in: named, explained, counted."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Correction:
    """What one correction did to one table: rows in and out, values changed; None where it says nothing of them."""

    correction: str
    table: str
    why: str
    rows_in: int
    rows_out: int | None = None
    changed: int | None = None

    def report(self) -> dict[str, object]:
        """The correction as a report holds it."""
        return {name: value for name, value in asdict(self).items() if value is not None}
