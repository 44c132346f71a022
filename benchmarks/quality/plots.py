"""The bench's plots as SVG: ladders with intervals, what is left without each member, the learning curve."""

import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from benchmarks.quality.goals import short
from benchmarks.quality.lists import FUSED, MEMBER, NDCG, PEER
from components.common.files import write_text
from components.evaluate.charts import BEST, LOUD, QUIET, STYLE

INK = "#222222"
PEER_COLOUR = "#b8860b"
PLAIN = {
    **STYLE,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
WORST = 0.10  # relative loss at which the map's colour ends
Numbers = dict[str, Any]


def draw(quality: Numbers, out: Path) -> list[str]:
    """Write every plot there are figures for into *out*; returns the file names."""
    tasks = [
        (f"{name}, {task}", one)
        for name, case in sorted(quality["cases"].items())
        for task, one in case["tasks"].items()
    ]
    plots = {"quality_ladder.svg": ladders(tasks)}
    known = [(title, one["missing"]["members"]) for title, one in tasks if one["missing"] and one["missing"]["members"]]
    if known:
        plots["quality_missing.svg"] = missing(known)
    curves = {name: case["curve"] for name, case in sorted(quality["cases"].items()) if case.get("curve")}
    if curves:
        plots["quality_curve.svg"] = curve(curves)
    for name, text in plots.items():
        write_text(out / name, text)
    return list(plots)


def ladders(tasks: list[tuple[str, Numbers]]) -> str:
    """One panel per task: NDCG@10 of the blend, every member and every peer, with 95% intervals."""
    rungs = [[name for name in one["ladder"] if name.startswith((MEMBER, PEER)) or name == FUSED] for _, one in tasks]
    with mpl.rc_context(PLAIN):
        heights = [1 + len(names) for names in rungs]
        figure = Figure(figsize=(7, 0.5 + 0.22 * sum(heights)), layout="constrained")
        panels = figure.subplots(len(tasks), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, names, (title, one) in zip(panels, rungs, tasks, strict=True):
            _ladder(axes, title, {name: one["ladder"][name] for name in names})
        return _svg(figure)


def _ladder(axes: Any, title: str, rungs: dict[str, Numbers]) -> None:
    ordered = sorted(rungs, key=lambda name: rungs[name][NDCG] or 0.0)
    for place, name in enumerate(ordered):
        colour = LOUD if name == FUSED else PEER_COLOUR if name.startswith(PEER) else BEST
        low, high = rungs[name]["interval"] or (rungs[name][NDCG],) * 2
        axes.plot([low, high], [place, place], color=colour, linewidth=2)
        axes.plot([rungs[name][NDCG]], [place], "o", color=colour, markersize=4)
    axes.set_yticks(range(len(ordered)), [short(name) for name in ordered])
    axes.set_title(f"{title}: NDCG@10", fontsize=9, loc="left")
    axes.set_xlim(left=0)


def missing(tasks: list[tuple[str, Numbers]]) -> str:
    """Rows: the member that is gone. Columns, per task: what is served against the best left, and against a refit."""
    members = sorted({name for _, matrix in tasks for name in matrix})
    columns = [(title, which) for title, _ in tasks for which in ("over_best_remaining", "over_refit")]
    cells = np.full((len(members), len(columns)), np.nan)
    for column, ((_, matrix), which) in enumerate(
        (one, which) for one in tasks for which in ("over_best_remaining", "over_refit")
    ):
        for row, name in enumerate(members):
            gain = matrix.get(name, {}).get(which)
            cells[row, column] = gain["relative"][0] if gain and gain["relative"] else np.nan
    words = {"over_best_remaining": "over the best left", "over_refit": "over a refit"}
    with mpl.rc_context(PLAIN):
        figure = Figure(figsize=(2 + 1.1 * len(columns), 1.6 + 0.26 * len(members)), layout="constrained")
        axes = figure.subplots()
        axes.imshow(cells, cmap="RdBu", vmin=-WORST, vmax=WORST, aspect="auto")
        axes.set_yticks(range(len(members)), [f"without {name}" for name in members])
        axes.set_xticks(range(len(columns)), [f"{title}\n{words[which]}" for title, which in columns], fontsize=6.5)
        for row, column in zip(*np.nonzero(np.isfinite(cells)), strict=True):
            value = cells[row, column]
            colour = "white" if abs(value) > 0.7 * WORST else INK
            axes.text(column, row, f"{value:+.1%}", ha="center", va="center", fontsize=7, color=colour)
        return _svg(figure)


def curve(curves: dict[str, Numbers]) -> str:
    """NDCG@10 of the same users by the share of all users that was learned from: the blend and the best member."""
    with mpl.rc_context(PLAIN):
        figure = Figure(figsize=(4.4, 0.4 + 2.6 * len(curves)), layout="constrained")
        for axes, (name, points) in zip(
            figure.subplots(len(curves), 1, squeeze=False)[:, 0], curves.items(), strict=True
        ):
            shares = [float(share) for share in points]
            for side, colour, label in ((FUSED, LOUD, "fused"), ("best", QUIET, "best member")):
                rows = [one["same_users"][side] for one in points.values()]
                low, high = zip(*(row["interval"] for row in rows), strict=True)
                axes.plot(shares, [row[NDCG] for row in rows], "o-", color=colour, label=label)
                axes.fill_between(shares, low, high, color=colour, alpha=0.15, linewidth=0)
            axes.set_xscale("log")
            axes.set_xticks(shares, [f"{share:.0%}" for share in shares])
            axes.set_title(f"{name}: NDCG@10 by share of the users", fontsize=9, loc="left")
            axes.set_ylim(bottom=0)
            axes.legend(fontsize=7.5)
        return _svg(figure)


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", facecolor="white", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
