import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from components.common.errors import ConfigError
from components.common.space import Choice, Range, Space
from components.tune.study import Budget, Values, run_study

SPACE: Space = {
    "rate": Range(low=0.01, high=100, log=True),
    "share": Range(low=0, high=1),
    "size": Range(low=1, high=9, whole=True),
    "half_life": Choice(options=(None, 2.0, 8.0)),
}
START: Values = {"rate": 50.0, "share": 0.1, "size": 2, "half_life": 8.0}
NOISE = np.random.default_rng(0).normal(0, 0.05, 200)


def planted(values: Values) -> npt.NDArray[np.float64]:
    """Best at rate 1, share .7, half-life None; the size does nothing."""
    far = 0.1 * np.log10(values["rate"]) ** 2 + (values["share"] - 0.7) ** 2 + 0.3 * (values["half_life"] is not None)
    return np.asarray(1 - far + NOISE)


def test_a_planted_optimum_is_found_and_what_matters_is_told() -> None:
    best = run_study(planted, SPACE, START, Budget(60, 60))
    assert best.values["half_life"] is None
    assert 0.2 < best.values["rate"] < 5
    assert 0.5 < best.values["share"] < 0.9
    assert isinstance(best.values["size"], int)
    assert best.trials[0].values == START == best.start.values
    assert len(best.trials) == 60
    assert best.trial.score == pytest.approx(planted(best.values).mean())
    assert best.trial.gain == pytest.approx((planted(best.values) - planted(START)).mean())
    assert min(best.importance, key=lambda name: best.importance[name]) == "size"


def test_the_same_seed_gives_the_same_trials_and_another_seed_others() -> None:
    one, two, other = (
        [t.values for t in run_study(planted, SPACE, START, Budget(14, 60), s).trials] for s in (1, 1, 2)
    )
    assert one == two
    assert one[0] == other[0]
    assert one[1:] != other[1:]
    assert len({json.dumps(values) for values in one}) == 14


def test_a_search_in_pieces_is_the_search_in_one(tmp_path: Path) -> None:
    journal = tmp_path / "a" / "als.jsonl"
    whole = run_study(planted, SPACE, START, Budget(20, 60), 3)
    run_study(planted, SPACE, START, Budget(11, 60), 3, journal)
    asked: list[Values] = []

    def counted(values: Values) -> npt.NDArray[np.float64]:
        asked.append(values)
        return planted(values)

    pieces = run_study(counted, SPACE, START, Budget(20, 60), 3, journal)
    assert [t.values for t in pieces.trials] == [t.values for t in whole.trials]
    assert pieces.values == whole.values
    assert len(asked) == 1 + 9


def test_a_cut_off_line_is_left_out(tmp_path: Path) -> None:
    journal = tmp_path / "als.jsonl"
    run_study(planted, SPACE, START, Budget(5, 60), 3, journal)
    with journal.open("a") as handle:
        handle.write('{"values": {"rate"')
    whole = run_study(planted, SPACE, START, Budget(9, 60), 3)
    resumed = run_study(planted, SPACE, START, Budget(9, 60), 3, journal)
    assert [t.values for t in resumed.trials] == [t.values for t in whole.trials]
    assert len(journal.read_text().splitlines()) == 1 + 9


@pytest.mark.parametrize("changed", ["seed", "space", "data"])
def test_a_journal_of_another_search_is_begun_anew(tmp_path: Path, changed: str) -> None:
    journal = tmp_path / "als.jsonl"
    run_study(planted, SPACE, START, Budget(5, 60), 3, journal)
    space = {**SPACE, "share": Range(low=0, high=0.5 if changed == "space" else 1)}
    objective = (lambda values: planted(values) / 2) if changed == "data" else planted
    found = run_study(objective, space, START, Budget(1, 60), 4 if changed == "seed" else 3, journal)
    assert len(found.trials) == 1
    assert len(journal.read_text().splitlines()) == 2


@pytest.mark.parametrize(("won", "lost", "taken"), [(10, 0, True), (2, 1, False), (0, 0, False), (0, 10, False)])
def test_only_a_gain_beyond_two_standard_errors_replaces_the_start(won: int, lost: int, taken: bool) -> None:
    """Of 100 users ten gain 1: .1 against an error of .03. Two gain and one loses: .01 against .017."""
    other = np.array([1.0] * won + [-1.0] * lost + [0.0] * (100 - won - lost))
    best = run_study(lambda values: np.zeros(100) if values == START else other, SPACE, START, Budget(5, 60))
    assert best.better == taken
    assert (best.values == START) != taken


def test_time_ends_a_search_but_not_before_the_start_was_tried() -> None:
    best = run_study(planted, SPACE, START, Budget(500, 0.0))
    assert [trial.values for trial in best.trials] == [START]
    assert best.values == START


def test_values_that_cannot_be_trained_lose(tmp_path: Path) -> None:
    def fragile(values: Values) -> npt.NDArray[np.float64]:
        if values["share"] > 0.5:
            raise np.linalg.LinAlgError("not positive definite")
        return planted(values) if values["size"] < 8 else np.full(200, np.nan)

    best = run_study(fragile, SPACE, START, Budget(25, 60), journal=tmp_path / "j")
    assert best.values["share"] <= 0.5
    assert any(trial.score is None for trial in best.trials)
    assert len(run_study(fragile, SPACE, START, Budget(27, 60), journal=tmp_path / "j").trials) == 27


def test_repeated_values_are_not_tried_twice() -> None:
    asked: list[str] = []

    def counted(values: Values) -> npt.NDArray[np.float64]:
        asked.append(json.dumps(values))
        return NOISE + len(asked)

    best = run_study(counted, {"size": Range(low=1, high=3, whole=True)}, {"size": 1}, Budget(20, 60))
    assert len(best.trials) == 20
    assert len(asked) == len(set(asked)) <= 3
    assert all(trial.seconds == 0 or before.values != trial.values for before, trial in pairwise(best.trials))


@pytest.mark.parametrize("start", [START | {"share": 2.0}, {"rate": 1.0}], ids=["outside", "missing"])
def test_a_start_outside_the_space_is_refused(start: Values) -> None:
    with pytest.raises(ConfigError, match="starts at"):
        run_study(planted, SPACE, start, Budget())
