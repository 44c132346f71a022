import pytest

from components.common import cedict
from components.common.errors import ConfigError


def test_the_dictionary_names_things_in_both_scripts() -> None:
    found = cedict.senses()
    assert len(found) > 100_000
    assert found["耳机"][0] == found["耳機"][0] == "headphones"
    assert found["蓝牙"] == ("Bluetooth",)


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ("woman's dress/frock/gown", ["dress", "frock", "gown"]),
        ("(hand)bag/hold-all", ["handbag", "hold-all"]),
        ("socks/stockings/CL:隻|只[zhi1],對|对[dui4]", ["socks", "stockings"]),
        ("hat/cap/(fig.) label/(slang) bad name", ["hat", "cap"]),
        ("to wear/variant of 掛[gua4]/surname Gua", ["wear"]),
        ("computers, communications, and consumer electronics", []),  # explains, does not name
        ("sports shoes; sneakers", ["sports shoes", "sneakers"]),
    ],
)
def test_a_sense_is_a_name_or_it_is_left_out(told: str, named: list[str]) -> None:
    assert list(cedict._named(told)) == named


def test_a_missing_dictionary_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cedict, "PACKAGE", "no_such_dictionary")
    with pytest.raises(ConfigError, match="Install the pipeline's requirements"):
        next(cedict._entries())
