"""Rules from files: what they may say, and where what is wrong stands."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.common.errors import ConfigError, ReleaseError
from serving.queries import BUNDLE, DISCOVERY, NEXT_BASKET, SEARCH, SIMILAR
from serving.rules.conditions import ITEM_NAMES, USER_NAMES
from serving.rules.reading import ACTIONS, MAX_BYTES, load, read, save
from serving.rules.schema import STANDARD, Boost, Diversify, Filter, Pin, Rules

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "rules.yaml"
GOOD = b"""\
rules:
  - name: spring
    action: boost
    by: 0.25
    category: food > fruit
    items: 'price < 5'
    when: 'history > 0'
    tasks: [discovery, search]
    starts_at: 2024-03-01
    ends_at: 2024-04-01T12:00:00+02:00
  - {name: first, action: pin, position: 1, items: 'item_id == "i3"'}
  - {name: mixed, action: diversify, mmr: 0.3, per_brand: 2}
"""


def told(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text.encode(), "rules.yaml")
    return str(caught.value)


def test_yaml_is_read_as_it_stands() -> None:
    spring, first, mixed = read(GOOD, "rules.yaml").rules
    assert isinstance(spring, Boost)
    assert (spring.by, spring.category, spring.items) == (0.25, "food > fruit", "price < 5")
    assert spring.starts_at == datetime(2024, 3, 1, tzinfo=UTC)
    assert spring.ends_at == datetime(2024, 4, 1, 10, tzinfo=UTC)
    assert isinstance(first, Pin)
    assert isinstance(mixed, Diversify)
    assert (mixed.first, mixed.over, mixed.mmr, mixed.per_brand) == (10, "vectors", 0.3, 2)


def test_json_is_read_as_well_and_survives_a_release(tmp_path: Path) -> None:
    rules = read(GOOD, "rules.yaml")
    save(rules, tmp_path / "rules.json")
    assert load(tmp_path / "rules.json") == rules
    assert read((tmp_path / "rules.json").read_bytes(), "rules.json") == rules


def test_the_example_of_the_documentation_is_valid() -> None:
    actions = {rule.action for rule in read(EXAMPLE.read_bytes(), EXAMPLE.name).rules}
    assert actions == {"filter", "pin", "boost", "bury", "diversify"}
    page = (EXAMPLE.parents[1] / "rules.md").read_text()
    fields = {name for kind in ACTIONS.values() for name in kind.model_fields}
    assert [name for name in (*ITEM_NAMES, *USER_NAMES, *fields) if name not in page] == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("price < 5", "price << 5", "line 6: rule 'spring': 'items': not allowed at character 7: '<<'"),
        ("price < 5", "prize < 5", "line 6: rule 'spring': 'items': unknown name 'prize'"),
        ("history > 0", "history >", "line 7: rule 'spring': 'when': syntax error: it ends too early"),
        ("by: 0.25", "by: 2", "line 4: rule 'spring': 'by': Input should be less than or equal to 1 (found 2)"),
        ("by: 0.25", "bye: 0.25", "line 4: rule 'spring': unknown name 'bye'. Did you mean 'by'?"),
        ("    when:", "    wen: x\n    when:", "line 7: rule 'spring': unknown name 'wen'. Did you mean 'when'?"),
        ("discovery, search", "discovry", "line 8: rule 'spring': 'tasks': unknown task 'discovry'; expected"),
        ("action: boost", "action: bost", "line 2: rule 'spring': 'action': expected one of filter, pin, boost"),
        ("2024-04-01T12:00:00+02:00", "2024-02-01", "ends_at 2024-02-01T00:00:00+00:00 is not after starts_at"),
        ("name: first", "name: spring", "two rules are called 'spring'"),
        ("name: first", "name: First!", "line 11: rule 'First!': 'name': String should match"),
        ("position: 1", "position: 0", "line 11: rule 'first': 'position'"),
        (", mmr: 0.3, per_brand: 2", "", "line 12: rule 'mixed': does nothing: give it 'mmr'"),
        ("    by: 0.25\n", "    by: 0.25\n    by: 0.5\n", "line 5, column 5: 'by' is said twice"),
        ("  - name: spring", "  - name: spring\n   action: x", "line 4"),
        ("    by: 0.25\n", "", "line 2: rule 'spring': 'by': Field required"),
        ("'price < 5'", "'price < 5", "line "),
        ("'price < 5'", "&a 'price < 5'\n    title: *a", "line 7, column 12: rules have no aliases"),
        ("rules:", "schema_version: 1\nrules:", "line 1: 'schema_version': Input should be 2 (found 1)"),
        ("rules:", "rulez:", "line 1: unknown name 'rulez'. Did you mean 'rules'?"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(old: str, new: str, expected: str) -> None:
    text = GOOD.decode()
    assert old in text
    message = told(text.replace(old, new, 1))
    assert message.startswith("rules.yaml, line ")
    assert expected in message


@pytest.mark.parametrize("text", ["", "[]", "just words", "rules: 5", "\x00", "- " * 5000, "{" * 5000, "rules: [[]]"])
def test_what_is_no_set_of_rules_is_refused(text: str) -> None:
    assert told(text).startswith("rules.yaml")


@pytest.mark.parametrize(
    "value",
    ["!!python/object/apply:os.system [x]", "{[1]: 2}", "!x y", "2024-13-45", "!!int x", "0x", "!!binary x", "<<: 3",
     "{2024-01-01: x}", "0x" + "f" * 5000, "1" + ":59" * 3000, "!!set {2024-01-01}"],
)  # fmt: skip
def test_no_value_of_yaml_stops_the_reader(value: str) -> None:
    assert told(f"rules:\n  - name: {value}\n").startswith("rules.yaml")


@given(st.data())
def test_any_damage_is_refused_or_read(data: st.DataObject) -> None:
    """Bytes cut out of a good file and others put in: a set of rules, or one message."""
    start = data.draw(st.integers(0, len(GOOD)))
    end = data.draw(st.integers(start, min(start + 40, len(GOOD))))
    damaged = GOOD[:start] + data.draw(st.binary(max_size=6)) + GOOD[end:]
    with suppress(ConfigError):
        assert isinstance(read(damaged, "rules.yaml"), Rules)


def test_a_file_of_rules_is_small() -> None:
    assert "rules are at most 256 KiB" in told("#" * (MAX_BYTES + 1))


def test_a_rule_about_everything_is_a_mistake() -> None:
    assert "says of no item" in told("rules: [{name: all, action: filter}]")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"rules": [{"name": "cheap"}]}', '{"rules": [], "schema_version": 1}']
)
def test_rules_of_a_release_that_nobody_can_apply_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "rules.json").write_text(text)
    with pytest.raises(ReleaseError, match=r"rules\.json: cannot be read as rules"):
        load(tmp_path / "rules.json")


def test_a_rule_is_for_its_tasks_and_for_those_of_its_scenario() -> None:
    seen = STANDARD.rules[1]
    tasks = (DISCOVERY, NEXT_BASKET, SEARCH, SIMILAR, BUNDLE)
    assert [seen.is_for(task) for task in tasks] == [True, False, False, True, True]
    assert all(STANDARD.rules[0].is_for(task) for task in tasks)
    recommend = Filter(name="x", met=True, tasks=("recommend",))
    assert [recommend.is_for(task) for task in tasks] == [True, True, False, False, False]
    assert not Filter(name="x", met=True, active=False).is_for(DISCOVERY)


def test_rules_of_the_same_name_replace_those_of_the_release() -> None:
    own = Rules(rules=(Filter(name="seen", met=True, active=False), Filter(name="dear", items="price > 9")))
    merged = own.over(STANDARD)
    assert [rule.name for rule in merged.rules] == ["unavailable", "substitutes", "seen", "dear"]
    assert [rule.name for rule in merged.rules if not rule.active] == ["seen"]
