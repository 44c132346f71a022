"""The page of a tuning step: per search what it found, how it went and which numbers mattered."""

from dataclasses import asdict, dataclass
from html import escape
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from components.evaluate.charts import BEST, LOUD, QUIET, STYLE, WIDTH, bars, svg
from components.evaluate.report import CSS
from components.tune.study import CAUTION, Best


@dataclass(frozen=True)
class Found:
    """A search that has ended, under the name of its member or task."""

    name: str
    best: Best

    def facts(self) -> dict[str, Any]:
        """Everything about it, for a file."""
        best = self.best
        trials = [asdict(trial) for trial in best.trials]
        return {
            "told": sentence(best),
            "values": best.values,
            "importance": dict(best.importance),
            "trials": trials,
        }


def page(title: str, found: list[Found]) -> str:
    """The whole page, without links."""
    body = "".join(_section(one) for one in found) or "<p>Too few users to judge by: nothing was tried.</p>"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{CSS}</style></head>'
        f"<body><h1>{escape(title)}</h1>"
        '<p class="note">Every trial is judged on the same held-out part of the training events; the test window is '
        f"never looked at. A trial replaces the start only if it gains more than {CAUTION:g} standard errors.</p>"
        f"{body}</body></html>\n"
    )


def _section(one: Found) -> str:
    best = one.best
    chart = bars(dict(best.importance), f"{one.name}: share of the differences", ()) if best.importance else ""
    return f"<h2>{escape(one.name)}</h2><p>{escape(sentence(best))}</p>{_values(best)}{_history(one)}{chart}"


def sentence(best: Best) -> str:
    """What the search found, in one sentence."""
    seconds = sum(trial.seconds for trial in best.trials)
    cost = f"{len(best.trials)} trials, {seconds:.0f} s"
    taken = best.trial
    if not best.better or taken.gain is None:
        return f"The start stays: nothing was better beyond chance ({cost}, score {_number(best.start.score)})."
    return (
        f"Score {_number(taken.score)} from {_number(best.start.score)}: a gain of {taken.gain:.4f} "
        f"with a standard error of {taken.error:.4f} ({cost})."
    )


def _values(best: Best) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{_number(best.start.values[name])}</td><td>{_number(value)}</td></tr>"
        for name, value in best.values.items()
    )
    return f'<div class="scroll"><table><tr><th></th><th>start</th><th>taken</th></tr>{rows}</table></div>'


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "–" if value is None else escape(str(value))


def _history(one: Found) -> str:
    """Every trial's score in order, and the best so far."""
    scores = np.array([np.nan if trial.score is None else trial.score for trial in one.best.trials])
    places = np.arange(1, len(scores) + 1)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 2.4), layout="constrained")
        axes = figure.subplots()
        axes.plot(places, scores, "o", color=QUIET, markersize=4, label="trial")
        axes.plot(places, np.fmax.accumulate(scores), color=BEST, drawstyle="steps-post", label="best so far")
        axes.axhline(scores[0], color=LOUD, linewidth=0.8, linestyle="--", label="start")
        axes.set_xlabel("trial")
        axes.set_ylabel("score")
        axes.legend(fontsize=7.5)
        return svg(figure, f"{one.name}: trials")
