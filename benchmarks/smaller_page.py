"""What `make bench-smaller` says in docs/benchmarks.md: every figure comes from smaller.json."""

from collections.abc import Sequence
from typing import Any

from benchmarks.quality.page import table
from components.package.trial import FUSED, SPARE

ASKED = 100  # requests of a scenario
NONE = "none"
Numbers = dict[str, Any]
LOSSES = (
    "What the blend loses of its NDCG@10 (a minus is a gain), with the standard error of the paired difference. On the "
    f"fit windows it may lose {SPARE:.1%} in each task, and the mean decides: where the error is larger than that, no "
    "loss was seen, which does not say that there is none. The test window decides nothing: it tells whether the "
    "decision was right."
)
ALONE = "The same of each member alone, on the fit windows:"
SAME = f"Of what the release as it is answers, the share that is answered still ({ASKED} questions of each scenario):"


def render(found: Numbers, rounds: int) -> str:
    """The whole part in Markdown."""
    ways = found["ways"]
    smaller = {way: one for way, one in ways.items() if way != NONE}
    scenarios, tasks = list(ways[NONE]["work_ms"]), list(next(iter(smaller.values()))["fit"])
    same = [(way, *(_share(one["kept"].get(name)) for name in scenarios)) for way, one in smaller.items()]
    parts = ["## Smaller releases", _conditions(found, rounds), _sizes(ways, scenarios)]
    parts += [LOSSES, _losses(smaller, tasks), ALONE, _alone(smaller, tasks), SAME, table(("", *scenarios), same)]
    return "\n\n".join(parts)


def _conditions(found: Numbers, rounds: int) -> str:
    return (
        f"`make bench-smaller` on release `{found['release'][:12]}`, {found['items']:,} items, {found['users']:,} "
        "users. Own memory is what every worker needs for itself, shared what all workers of a machine map together: "
        "numbers in fewer bytes are made wide when they are read, so they save disk and the way to the server, not "
        "memory. Load: seconds of work until a process has verified and read the release. Milliseconds of work of one "
        f"request, median of {ASKED}; each release has a process of its own, {rounds} turns in alternation, their "
        "median, on a machine that did other work as well: compare within a column only."
    )


def _sizes(ways: dict[str, Numbers], scenarios: Sequence[str]) -> str:
    head = ("", "release MiB", "members MiB", "own memory MiB", "shared MiB", "load s", *(f"{s} ms" for s in scenarios))
    return table(head, [(way, *_numbers(one, scenarios)) for way, one in ways.items()])


def _numbers(one: Numbers, scenarios: Sequence[str]) -> list[str]:
    sizes = [f"{one[name]:.1f}" for name in ("release_mb", "members_mb", "private_mb", "shared_mb")]
    return [*sizes, f"{one['load_s']:.2f}", *(_ms(one["work_ms"].get(name)) for name in scenarios)]


def _losses(ways: dict[str, Numbers], tasks: Sequence[str]) -> str:
    parts = [(task, part) for task in tasks for part in ("fit", "test")]
    head = ("", *(f"{task.replace('_', ' ')}, {part}" for task, part in parts), "taken")
    rows = [
        (way, *(_lost(one[part][task][FUSED]) for task, part in parts), one["why_not"] or "yes")
        for way, one in ways.items()
    ]
    return table(head, rows)


def _alone(ways: dict[str, Numbers], tasks: Sequence[str]) -> str:
    """A row a member, a column a way and task."""
    columns = [(way, task) for way in ways for task in tasks]
    names = sorted({name for one in ways.values() for task in tasks for name in one["fit"][task]} - {FUSED})
    rows = [(name, *(_lost(ways[way]["fit"][task].get(name)) for way, task in columns)) for name in names]
    return table(("", *(f"{way}, {task.replace('_', ' ')}" for way, task in columns)), rows)


def _share(kept: float | None) -> str:
    return "–" if kept is None else f"{kept:.1%}"


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _lost(loss: Numbers | None) -> str:
    return "–" if loss is None else f"{loss['lost']:+.2%} ± {loss['error']:.2%}"
