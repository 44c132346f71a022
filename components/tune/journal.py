"""The trials of a search as JSON lines, so that a search can stop and go on."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from components.common.files import write_text


@dataclass(frozen=True)
class Trial:
    """One set of values tried.

    score: mean over the cases, None where it could not be scored. gain: mean difference to the start over the cases
    both have. error: standard error of that difference. seconds: what the trial took, 0 for a repetition.
    """

    values: dict[str, Any]
    score: float | None
    gain: float | None
    error: float
    seconds: float


class Journal:
    """A file of trials under a head that says which search they belong to; None keeps nothing."""

    def __init__(self, path: Path | None, head: dict[str, Any]) -> None:
        self.path, self.head = path, json.loads(json.dumps(head))

    def open(self, start: Trial) -> list[Trial]:
        """The trials of earlier runs, *start* first; only *start* where there are none of this very search."""
        kept = self._read()
        same = bool(kept) and (kept[0].values, kept[0].score) == (start.values, start.score)
        trials = kept if same else [start]
        if self.path is not None:
            write_text(self.path, "\n".join([json.dumps(self.head), *map(_line, trials)]) + "\n")
        return trials

    def add(self, trial: Trial) -> None:
        """Append one trial."""
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as handle:
                handle.write(_line(trial) + "\n")

    def _read(self) -> list[Trial]:
        """What the file holds; a last line that was cut off is left out."""
        if self.path is None or not self.path.exists():
            return []
        facts = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                facts.append(json.loads(line))
            except json.JSONDecodeError:
                break
        return [Trial(**fact) for fact in facts[1:]] if facts and facts[0] == self.head else []


def _line(trial: Trial) -> str:
    return json.dumps(asdict(trial), allow_nan=False)
