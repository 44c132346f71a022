"""One search: a space, an objective, a budget; Optuna behind a door that another searcher could serve.

The objective gives one value per case (a user, a list), the same cases every time. So trials are compared in pairs,
and what won by chance among many does not replace the start: its gain must be `CAUTION` of its standard errors.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from components.common.errors import ConfigError
from components.common.space import Range, Space
from components.tune.journal import Journal, Trial

if TYPE_CHECKING:
    import optuna

CAUTION = 2.0  # standard errors: more than for a single comparison, since the best of many is flattered
WARM_UP = 8  # trials drawn at random before the sampler learns from them

Values = dict[str, Any]
Cases = npt.NDArray[np.floating]
Objective = Callable[[Values], Cases]


@dataclass(frozen=True)
class Budget:
    """When to stop: after so many trials, the start among them, or at the end of the trial that passes *seconds*."""

    trials: int = 30
    seconds: float = 120.0


@dataclass(frozen=True)
class Best:
    """What a search found. values: the start's own where nothing was better beyond chance; trials[0] is the start."""

    values: Values
    trials: tuple[Trial, ...]
    importance: Mapping[str, float]  # by name, share of the differences it explains; empty where trials are few

    @property
    def start(self) -> Trial:
        """Where the search began."""
        return self.trials[0]

    @property
    def better(self) -> bool:
        """Is what was taken another than the start."""
        return self.values != self.start.values

    @property
    def trial(self) -> Trial:
        """The trial whose values were taken."""
        return next(trial for trial in self.trials if trial.values == self.values)


def run_study(
    objective: Objective, space: Space, start: Values, budget: Budget, seed: int = 0, journal: Path | None = None
) -> Best:
    """Search *space* for what makes the mean of *objective* highest.

    The same seed, space and number of trials give the same trials in the same order, also where a journal divides
    them over several runs; how many fit into the seconds depends on the machine.

    Args:
        objective: (n,) one value per case of a set of values, higher is better; NaN = the case says nothing.
        space: what may be tried.
        start: one value per name of *space*: the first trial, and what stays unless something is better.
        budget: when to stop; the start is always tried.
        seed: every random choice follows from it.
        journal: a file that keeps the trials, so that a later run goes on where this one stopped. One that was
            written for another space, start or seed, or whose start scores otherwise today, is begun anew.

    Raises:
        ConfigError: Optuna is not installed, or *start* does not fit *space*.
    """
    _fits(space, start)
    began = time.perf_counter()
    baseline = objective(start)
    first = Trial(dict(start), _mean(baseline), 0.0, 0.0, round(time.perf_counter() - began, 3))
    kept = Journal(journal, {"space": _described(space), "seed": seed})
    trials = kept.open(first)
    study = _study()
    for trial in trials:
        _tell(study, space, trial)
    while len(trials) < budget.trials and time.perf_counter() - began < budget.seconds:
        study.sampler = _sampler(seed, len(trials))
        asked = study.ask(_distributions(space))
        values = {name: asked.params[name] for name in space}
        trial = _again(trials, values) or _tried(objective, values, baseline)
        study.tell(asked, **_outcome(trial))
        trials.append(trial)
        kept.add(trial)
    return Best(_chosen(trials), tuple(trials), _importance(study, seed))


def _tried(objective: Objective, values: Values, baseline: Cases) -> Trial:
    """One evaluation; numbers with which the member cannot be trained score nothing."""
    began = time.perf_counter()
    try:
        cases = objective(values)
    except (ArithmeticError, np.linalg.LinAlgError):
        cases = np.full(len(baseline), np.nan)
    gain = cases - baseline
    known = gain[np.isfinite(gain)]
    error = float(known.std(ddof=1)) / len(known) ** 0.5 if len(known) > 1 else 0.0
    return Trial(values, _mean(cases), _mean(gain), error, round(time.perf_counter() - began, 3))


def _again(trials: list[Trial], values: Values) -> Trial | None:
    """The same values once more cost nothing."""
    known = next((trial for trial in trials if trial.values == values), None)
    return None if known is None else Trial(values, known.score, known.gain, known.error, 0.0)


def _chosen(trials: list[Trial]) -> Values:
    scored = [trial for trial in trials if trial.score is not None and trial.gain is not None]
    best = max(scored, key=lambda trial: trial.score or 0.0, default=trials[0])
    return best.values if (best.gain or 0.0) > CAUTION * best.error else trials[0].values


def _mean(cases: Cases) -> float | None:
    known = cases[np.isfinite(cases)]
    return float(known.mean(dtype=np.float64)) if len(known) else None


def _fits(space: Space, start: Values) -> None:
    for name, allowed in space.items():
        if name not in start or not allowed.holds(start[name]):
            raise ConfigError(f"tune: '{name}' starts at {start.get(name)!r}, expected a value within {allowed}.")


def _described(space: Space) -> dict[str, Any]:
    return {name: allowed.model_dump(mode="json") for name, allowed in sorted(space.items())}


def _study() -> "optuna.Study":
    try:
        import optuna
    except ImportError as error:
        raise ConfigError("tune needs Optuna: `pip install optuna`, or `make install`.") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(direction="maximize", sampler=_sampler(0, 0))


def _sampler(seed: int, number: int) -> "optuna.samplers.BaseSampler":
    """The sampler of trial *number*; it knows the trials before it and nothing of when they were run."""
    from optuna.samplers import TPESampler

    drawn = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    return TPESampler(n_startup_trials=WARM_UP, multivariate=True, seed=drawn)


def _distributions(space: Space) -> "dict[str, optuna.distributions.BaseDistribution]":
    from optuna import distributions as d

    found: dict[str, d.BaseDistribution] = {}
    for name, allowed in sorted(space.items()):
        if not isinstance(allowed, Range):
            found[name] = d.CategoricalDistribution(allowed.options)
        elif allowed.whole:
            found[name] = d.IntDistribution(int(allowed.low), int(allowed.high), log=allowed.log)
        else:
            found[name] = d.FloatDistribution(allowed.low, allowed.high, log=allowed.log)
    return found


def _tell(study: "optuna.Study", space: Space, trial: Trial) -> None:
    import optuna

    outcome = _outcome(trial)
    study.add_trial(
        optuna.trial.create_trial(
            state=outcome["state"],
            value=outcome["values"],
            params=trial.values,
            distributions=_distributions(space),
        )
    )


def _outcome(trial: Trial) -> dict[str, Any]:
    from optuna.trial import TrialState

    return {"state": TrialState.FAIL if trial.score is None else TrialState.COMPLETE, "values": trial.score}


def _importance(study: "optuna.Study", seed: int) -> dict[str, float]:
    import optuna

    done = {trial.value for trial in study.trials if trial.value is not None}
    if len(done) < WARM_UP:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: round(float(value), 4) for name, value in found.items()}
