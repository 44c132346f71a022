"""A search as a Katib Experiment: the space is carried over, what a trial is given comes back typed and checked."""

import json
import re
from typing import Any

import numpy as np
import pytest

from components.common.errors import ConfigError
from components.common.space import Choice, Range, Space
from components.tune.katib import CONTAINER, METRIC, KatibSettings, experiment, judged, read
from components.tune.members import Search
from infra.checks import pods, restricted
from infra.checks.schemas import Schemas

SPACE: Space = {
    "reg": Range(low=1e-3, high=1.0, log=True),
    "embedding_size": Range(low=8, high=64, whole=True),
    "history.half_life": Choice(options=(None, 30.0, 60.0)),
}
START = {"reg": 0.1, "embedding_size": 16, "history.half_life": 30.0}


def tried(values: dict[str, Any]) -> Any:
    return np.array([values["reg"], np.nan, values["embedding_size"] + (values["history.half_life"] or 0.0)])


SEARCH = Search("item_knn", START, SPACE, tried)
COMMAND = ["python", "-m", "pipelines.cli", "trial"]


def test_the_experiment_is_valid_and_its_trials_are_restricted_pods(schemas: Schemas) -> None:
    one = experiment(SEARCH, COMMAND)
    assert schemas.problems(one) == []
    job = one["spec"]["trialTemplate"]["trialSpec"]
    assert schemas.problems(job | {"metadata": {"name": "trial"}}) == []
    (pod,) = pods.pods([one])
    assert schemas.problems(pod) == []
    assert restricted.problems(pod) == []
    assert pod["spec"]["containers"][0]["name"] == CONTAINER == one["spec"]["trialTemplate"]["primaryContainerName"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "maxTrialCounts"), 3),
        (("spec", "maxTrialCount"), "3"),
        (("spec", "objective", "type"), "max"),
        (("spec", "parameters", 0, "feasibleSpace", "min"), 0.001),
        (("spec", "parameters", 0, "parameterType"), "float"),
        (("spec", "trialTemplate", "trialParameters", 0, "references"), "reg"),
    ],
)
def test_a_wrong_field_of_it_is_caught(schemas: Schemas, path: tuple[Any, ...], value: Any) -> None:
    one = experiment(SEARCH, COMMAND)
    inner: Any = one
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    assert schemas.problems(one)


def test_every_name_of_the_space_reaches_the_command() -> None:
    spec = experiment(SEARCH, COMMAND, KatibSettings(trials=7, parallel=2))["spec"]
    assert (spec["maxTrialCount"], spec["parallelTrialCount"]) == (7, 2)
    assert spec["objective"] == {"type": "maximize", "objectiveMetricName": METRIC}
    kinds = {one["name"]: (one["parameterType"], one["feasibleSpace"]) for one in spec["parameters"]}
    assert kinds == {
        "reg": ("double", {"min": "0.001", "max": "1.0", "distribution": "logUniform"}),
        "embedding_size": ("int", {"min": "8", "max": "64", "distribution": "uniform"}),
        "history.half_life": ("categorical", {"list": ["null", "30.0", "60.0"]}),
    }
    references = {one["name"]: one["reference"] for one in spec["trialTemplate"]["trialParameters"]}
    command = spec["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"][0]["command"]
    assert command[: len(COMMAND)] == COMMAND
    sets = [part for part in command[len(COMMAND) :] if part != "--set"]
    asked = {name: re.fullmatch(r"\$\{trialParameters\.([a-zA-Z0-9-]+)\}", rest) for name, _, rest in map(split, sets)}
    assert {name: references[found[1]] for name, found in asked.items() if found} == {name: name for name in SPACE}


def split(text: str) -> tuple[str, str, str]:
    return text.partition("=")


def test_a_trial_gets_back_what_the_space_offers() -> None:
    assert read(SPACE, {"reg": "0.001", "embedding_size": "64", "history.half_life": "null"}) == {
        "reg": 0.001,
        "embedding_size": 64,
        "history.half_life": None,
    }
    for option in SPACE["history.half_life"].options if isinstance(SPACE["history.half_life"], Choice) else ():
        assert read(SPACE, {"history.half_life": json.dumps(option)}) == {"history.half_life": option}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("regs", "1", "expected one of reg, embedding_size"),
        ("reg", "2", "a number from 0.001 to 1"),
        ("reg", "much", "a number from 0.001 to 1"),
        ("embedding_size", "8.5", "a whole number from 8 to 64"),
        ("history.half_life", "31.0", "one of null, 30.0, 60.0"),
        ("history.half_life", "a month", "one of null, 30.0, 60.0"),
    ],
)
def test_what_the_space_does_not_offer_is_refused(name: str, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        read(SPACE, {name: text})


def test_a_trial_is_judged_by_the_mean_of_its_cases_from_the_start_on() -> None:
    assert judged(SEARCH, {}) == pytest.approx((0.1 + 46) / 2)
    assert judged(SEARCH, {"embedding_size": "8", "history.half_life": "null"}) == pytest.approx((0.1 + 8) / 2)
