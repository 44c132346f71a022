"""The rules of a release are what its engine does."""

from pathlib import Path

import pytest

from components.common.errors import ReleaseError
from components.common.files import read_json
from serving.queries import BUNDLE, DISCOVERY, NEXT_BASKET, SEARCH, SIMILAR
from serving.rules import STANDARD, Rule, Rules


def test_what_is_met_is_hidden_where_something_new_is_wanted() -> None:
    tasks = (DISCOVERY, NEXT_BASKET, SEARCH, SIMILAR, BUNDLE)
    assert [STANDARD.holds("seen", task) for task in tasks] == [True, False, False, True, True]
    assert all(STANDARD.holds("unavailable", task) for task in tasks)
    assert not Rules(rules=()).holds("unavailable", DISCOVERY)


def test_saved_and_loaded_rules_are_the_same(tmp_path: Path) -> None:
    rules = Rules(rules=(Rule(name="seen", tasks=(SEARCH,)),))
    rules.save(tmp_path / "rules.json")
    assert Rules.load(tmp_path / "rules.json") == rules
    assert read_json(tmp_path / "rules.json")["schema_version"] == 1


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"rules": [{"name": "cheap"}]}', '{"rules": [], "schema_version": 2}']
)
def test_rules_that_nobody_can_apply_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "rules.json").write_text(text)
    with pytest.raises(ReleaseError, match=r"rules\.json: cannot be read as rules"):
        Rules.load(tmp_path / "rules.json")
