"""A typo stops before any work starts, and its message names it."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from components.common.config import ShopConfig
from components.common.errors import ConfigError


def message_of(tmp_path: Path, text: str) -> str:
    path = tmp_path / "shop.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        ShopConfig.from_yaml(path)
    return str(caught.value).replace(str(path), "shop.yaml")


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("repeat_purchase: true", "shop.yaml: unknown name 'repeat_purchase'. Did you mean 'repeat_purchases'? Known"),
        ("colour: red", "shop.yaml: unknown name 'colour'. Known names: currency, "),
        ("window_days: -1", "shop.yaml: 'window_days': Input should be greater than 0 (found -1)."),
        ("window_days: .inf", "shop.yaml: 'window_days': Input should be a finite number"),
        ("target_events: [purchases]", "shop.yaml: 'target_events': unknown 'purchases'; expected view, click, "),
        ("event_weights: {bought: 1}", "shop.yaml: 'event_weights': unknown 'bought'; expected view, click, "),
        ("event_weights: {view: -1}", "shop.yaml: 'event_weights': expected weights of at least 0 (found"),
        ("minimum_rows: {event: 9}", "shop.yaml: 'minimum_rows': unknown 'event'; expected events, items, "),
        ("- repeat_purchases", "shop.yaml: expected 'name: value' lines, found list."),
        ("a: [", "shop.yaml: cannot be read as YAML: "),
    ],
)
def test_what_is_wrong_is_named(text: str, start: str, tmp_path: Path) -> None:
    assert message_of(tmp_path, text).startswith(start)


def test_a_long_value_does_not_flood_the_message(tmp_path: Path) -> None:
    assert len(message_of(tmp_path, f"window_days: {'x' * 100_000}")) < 300


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"shop\.yaml: cannot be read as YAML: .*No such file"):
        ShopConfig.from_yaml(tmp_path / "shop.yaml")


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").touch()
    assert ShopConfig.from_yaml(tmp_path / "shop.yaml") == ShopConfig()


def test_kinds_that_are_not_named_keep_their_weight() -> None:
    weights = ShopConfig(event_weights={"view": 0.0}).event_weights
    assert (weights["view"], weights["purchase"], weights["cart"]) == (0.0, 1.0, 0.6)
    assert ShopConfig(event_weights=weights).event_weights == weights == {**ShopConfig().event_weights, "view": 0.0}


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        ShopConfig().currency = "EUR"  # type: ignore[misc]
