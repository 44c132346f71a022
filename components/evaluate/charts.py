"""Plots as inline SVG: no links, the page's own text colour, so that they read on light and dark screens."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

INK = "#010203"  # stands for the page's text colour until the SVG is written
WIDTH = 4.4  # inches at 72 units: a phone's width, so that letters keep their size there
QUIET, LOUD, BEST = "#8a94a6", "#c2410c", "#2f6fb0"
COLOURS = ("#2f6fb0", "#3f8f5b", "#8c5fb3", "#b8860b", "#3a9ea5", "#b0567a", "#6d7f2c", "#7a6a5a")
STYLE: Any = {  # matplotlib's own type lists every setting there is
    "font.size": 8.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "cuvee",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
}


def bars(values: Mapping[str, float | None], label: str, loud: Sequence[str] = (), best: str = "") -> str:
    """Horizontal bars in the order given, first on top; those named in *loud* and *best* stand out."""
    known = [(name, value) for name, value in values.items() if value is not None]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.6 + 0.26 * max(len(known), 1)), layout="constrained")
        axes = figure.subplots()
        places = np.arange(len(known))[::-1]
        colours = [LOUD if name in loud else BEST if name == best else QUIET for name, _ in known]
        axes.barh(places, [value for _, value in known], color=colours, height=0.68)
        axes.set_yticks(places, [name for name, _ in known])
        for place, (_, value) in zip(places, known, strict=True):
            axes.text(value, place, f" {value:.4f}", va="center", fontsize=7.5)
        axes.margins(x=0.16)
        axes.set_xlabel(label)
        return svg(figure, label)


def curves(lines: Mapping[str, npt.NDArray[np.floating]], label: str, loud: str) -> str:
    """Lines over the list length 1..m; the one named *loud* is drawn on top."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 3.1), layout="constrained")
        axes = figure.subplots()
        for number, (name, line) in enumerate(lines.items()):
            fused = name == loud
            colour = LOUD if fused else COLOURS[number % len(COLOURS)]
            style = "-" if fused or number < len(COLOURS) else "--"
            axes.plot(
                np.arange(1, len(line) + 1), line, style, label=name, color=colour,
                linewidth=2.2 if fused else 1.1, zorder=3 if fused else 2,
            )  # fmt: skip
        axes.set_xlabel("length of the list")
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=7.5, ncols=2)
        return svg(figure, label)


def weights(table: Mapping[str, float], label: str) -> str:
    """Signed bars around zero, the strongest on top."""
    known = sorted(table.items(), key=lambda pair: abs(pair[1]))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.6 + 0.26 * max(len(known), 1)), layout="constrained")
        axes = figure.subplots()
        axes.barh([name for name, _ in known], [value for _, value in known], color=BEST, height=0.68)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_xlabel(label)
        return svg(figure, label)


def svg(figure: Figure, label: str) -> str:
    """The figure as SVG text that takes the page's text colour; *label* is read aloud."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    return text.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
