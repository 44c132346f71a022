"""Pages of Markdown that Kubeflow's UI shows of a step, made from what the step has written."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from components.common.files import read_json

MEMBER_FILE = "member.json"
MB = 1e6


def page(title: str, *parts: str) -> str:
    """A page: its title, and paragraphs or tables."""
    return "\n\n".join([f"# {title}", *(part for part in parts if part)]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; columns of numbers to the right, a bar in a text is no border. Nothing without rows."""
    kept = [tuple(row) for row in rows]
    if not kept:
        return ""
    lines = [
        "---:" if all(isinstance(value, int | float) for value in column) else "---"
        for column in zip(*kept, strict=True)
    ]
    told = [head, lines, *([_cell(value) for value in row] for row in kept)]
    return "\n".join(f"| {' | '.join(line)} |" for line in told)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else " ".join(str(value).replace("|", "\\|").split())


def counts_page(title: str, counts: Mapping[str, object], corrections: Iterable[Mapping[str, Any]]) -> str:
    """A page of counts, and of what was corrected on the way, as the reports of ingest and prepare hold it."""
    done = [
        (one["correction"], one["table"], one.get("changed", one["rows_in"] - one.get("rows_out", 0)), one["why"])
        for one in corrections
    ]
    return page(
        title,
        table(("what", "number"), counts.items()),
        table(("correction", "of", "changed or left out", "why"), done),
    )


def members_page(title: str, folder: Path) -> str:
    """A page of the members that a training step has written below *folder*/<training>/<member>/."""
    trainings = sorted({path.parents[1].name for path in folder.glob(f"*/*/{MEMBER_FILE}")})
    names = sorted({path.parent.name for path in folder.glob(f"*/*/{MEMBER_FILE}")})
    rows = []
    for name in names:
        sizes = [_megabytes(folder / training / name) for training in trainings]
        newest = next(training for training in trainings if (folder / training / name / MEMBER_FILE).exists())
        rows.append((name, *sizes, _numbers(read_json(folder / newest / name / MEMBER_FILE))))
    head = ("member", *(f"{training}, MB" for training in trainings), "numbers")
    return page(title, table(head, rows) or "Nothing was trained: there was nothing to learn from.")


def _megabytes(folder: Path) -> object:
    return sum(path.stat().st_size for path in folder.rglob("*")) / MB if folder.exists() else "–"


def _numbers(told: Mapping[str, Any], within: str = "") -> str:
    found = []
    for name, value in told.items():
        if isinstance(value, dict):
            found.append(_numbers(value, f"{within}{name}."))
        elif not isinstance(value, list) and name != "kind":
            found.append(f"{within}{name} {value}")
    return ", ".join(part for part in found if part)
