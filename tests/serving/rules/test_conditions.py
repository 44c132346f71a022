"""Conditions: what they mean, what they refuse, and that the catalogue is asked once."""

import numpy as np
import pandas as pd
import pytest

from serving.catalogue import Catalogue
from serving.rules.conditions import MAX_LENGTH, Condition, item_condition, items_where, user_condition, users_where
from serving.states import UserStates

DAY = 86_400_000_000


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue(
        pd.DataFrame(
            {
                "item_id": ["a", "b", "c"], "title": ["Tea", "Jam", "Tea"], "category": ["food > tea", "food", ""],
                "brand": ["Ox", "ox", ""], "price": [1.0, 5.0, np.nan], "available": [True, False, True],
                "created_at": pd.to_datetime(["2024-01-01", "NaT", "2024-03-01"], utc=True),
                "attributes": ['{"size": "S", "kg": 2}', "no JSON", '{"size": "L"}'],
            }
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("price < 5", "a"),
        ("not (price < 5)", "b"),
        ("price == null", "c"),
        ("not available", "b"),
        ('brand.as_lower == "ox" and available', "a"),
        ('title in ["Tea"]', "ac"),
        ('"ja" in title.as_lower', "b"),
        ('category.starts_with("food")', "ab"),
        ('created_at >= d"2024-02-01"', "c"),
        ('attributes["size"] == "S"', "a"),
        ('attributes["kg"] > 1', "a"),
        ('"size" in attributes', "ac"),
        ('item_id == "b" or price > 100', "b"),
        ("1 == 1", "abc"),
        ("price * 2 == 10", "b"),
        ("sentiment > 0.5", ""),
        ("sentiment == null", "abc"),
    ],
)
def test_a_condition_means_what_it_says(catalogue: Catalogue, text: str, expected: str) -> None:
    """An unknown price, date or attribute satisfies no comparison."""
    held = items_where(item_condition(text), catalogue)
    assert "".join(np.array(catalogue.ids)[held]) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("price < ", "ends too early"),
        ('brand = "Ox"', r"illegal character at character 7: '= \"Ox\"'"),
        ("prize < 5", "unknown name 'prize'; known names: item_id, title"),
        ("price", "a value, not a condition"),
        ("brand + 1 == 3", "cannot be judged: data type mismatch"),
        ("price > 1 / 0", "division by zero"),
        ("available and " * 100 + "available", f"at most {MAX_LENGTH}"),
        ("brand.__class__ == 1", "unknown attribute"),
        ('brand =~ "(a+)+$"', "not allowed at character 7: '=~'"),
        ("$now() > created_at", r"not allowed at character 1: '\$now'"),
        ('[x for x in ["a"]] == ["a"]', "not allowed at character 4: 'for'"),
        ("2 ** 64 > price", r"not allowed at character 3: '\*\*'"),
        ('__import__("os") == 1', "unknown name '__import__'"),
        ("(" * 900 + "available", "too early"),
    ],
)
def test_what_is_wrong_or_unbounded_is_refused_before_it_is_asked(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        item_condition(text)


def test_the_catalogue_is_asked_once_per_distinct_value(catalogue: Catalogue) -> None:
    asked: list[object] = []

    class Counting(Condition):
        def _holds(self, row: dict[str, object]) -> bool:
            asked.append(row["title"])
            return super()._holds(row)

    condition = Counting(
        'title == "Tea"', {"title": item_condition('title == "Tea"')._rule.context.resolve_type("title")}
    )
    assert items_where(condition, catalogue).tolist() == [True, False, True]
    assert asked == ["Tea", "Jam"]


def test_an_empty_catalogue_has_no_items(catalogue: Catalogue) -> None:
    assert items_where(item_condition("price < 5"), Catalogue(catalogue.items[:0])).tolist() == []


def test_users_are_known_by_history_idle_days_and_profile() -> None:
    states = UserStates(
        ("u", "v", ""), np.array([0, 2, 3, 3]), np.array([0, 1, 1], np.int32),
        np.array([1, 3, 9]) * DAY, np.array([1, 1, 9]) * DAY, np.ones(3, np.float32),
        np.array([10, 10, 10]) * DAY, ('{"age": "19-24", "cars": 2}', "{}", "{}"),
    )  # fmt: skip
    for text, expected in (
        ("history >= 2", [True, False, False]),
        ("history == 0", [False, False, True]),
        ("idle_days <= 1", [False, True, False]),
        ("idle_days == null", [False, False, True]),
        ('profile["age"] == "19-24"', [True, False, False]),
        ('profile["cars"] > 1', [True, False, False]),
    ):
        assert users_where(user_condition(text), states).tolist() == expected, text
    with pytest.raises(ValueError, match="unknown name 'price'; known names: history, idle_days, profile"):
        user_condition("price > 1")
