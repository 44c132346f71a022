"""Suites as data: `suites/<table>.json` holds each expectation with what it wants and what to do about a breach."""

from importlib import resources
from typing import Any

import pandas as pd

from components.common.errors import ConfigError
from components.common.files import read_json

ORDER = ("items", "events", "users", "campaigns", "campaign_users", "relations", "judgements", "impressions")
Expectation = dict[str, Any]


def load_suite(table: str) -> list[Expectation]:
    """The expectations of *table* in their order, most basic first.

    Raises:
        ConfigError: the suite names another table or is empty.
    """
    with resources.as_file(resources.files("components.validate") / "suites" / f"{table}.json") as path:
        suite = read_json(path)
    if suite.get("table") != table or not suite.get("expectations"):
        raise ConfigError(
            f"The suite {table}.json is for {suite.get('table')!r} or empty. Restore it from the repository."
        )
    expectations: list[Expectation] = suite["expectations"]
    return expectations


def applicable(expectations: list[Expectation], frame: pd.DataFrame, minimum: int) -> list[Expectation]:
    """The expectations whose columns *frame* has, with the minimum of rows filled in and their order noted."""
    present = [each for each in expectations if set(_columns(each)) <= set(frame.columns)]
    return [_filled(each, order, minimum) for order, each in enumerate(present)]


def _columns(expectation: Expectation) -> list[str]:
    kwargs = expectation["kwargs"]
    return [kwargs["column"]] if "column" in kwargs else list(kwargs.get("column_list", []))


def _filled(expectation: Expectation, order: int, minimum: int) -> Expectation:
    kwargs = {name: minimum if value == "$minimum_rows" else value for name, value in expectation["kwargs"].items()}
    meta = {name: text.replace("$minimum_rows", str(minimum)) for name, text in expectation["meta"].items()}
    return {"type": expectation["type"], "kwargs": kwargs, "meta": {**meta, "order": order}}
