from pathlib import Path

import pytest

from components.common.config import Config
from components.common.errors import ConfigError
from components.common.settings import Settings, merged
from components.common.space import Choice, Range


class Inner(Config):
    epochs: int = 3
    rate: float = 0.1


class Numbers(Config):
    size: int = 64
    half_life: float | None = 60.0
    inner: Inner = Inner(epochs=7)


def written(folder: Path, text: str) -> str:
    path = folder / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_nothing_said_changes_nothing() -> None:
    settings = Settings.load("")
    assert settings.fill("als", Numbers(size=5)) == Numbers(size=5)
    assert settings.fill_fusion(Numbers()) == Numbers()
    assert (settings.wants("als"), settings.wants("bpr", usual=False), settings.tells("als")) == (True, False, False)


def test_a_member_is_filled_switched_off_and_switched_on(tmp_path: Path) -> None:
    text = "members:\n  als: {size: 128, half_life: null, inner: {rate: 0.5}}\n  bpr: true\n  text: false\n"
    settings = Settings.load(written(tmp_path, text))
    filled = settings.fill("als", Numbers())
    assert filled == Numbers(size=128, half_life=None, inner=Inner(epochs=7, rate=0.5))
    assert settings.tells("als")
    assert not settings.tells("bpr")
    assert [settings.wants(name, usual=False) for name in ("als", "bpr", "text", "other")] == [True, True, False, False]


def test_settings_may_come_as_text() -> None:
    assert Settings.load('{"members": {"als": {"size": 8}}}').fill("als", Numbers()).size == 8


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("member: {}", "settings.yaml: unknown name 'member'. Did you mean 'members'?"),
        ("members: {als: 7}", "settings.yaml: 'members.als"),
        ("members: [als]", "settings.yaml: 'members'"),
        ("members: {als: {sizes: 8}}", "settings.yaml: members.als: unknown name 'sizes'. Did you mean 'size'?"),
        ("members: {als: {size: big}}", "settings.yaml: members.als: 'size'"),
        ("members: {al: {size: 8}}", "settings.yaml: members: unknown 'al'. Did you mean 'als'? Known: als, bpr."),
        ("fusion: {inner: {epoch: 1}}", "settings.yaml: fusion: unknown name 'inner.epoch'"),
        ("members: {als: {", "settings.yaml: cannot be read as YAML"),
    ],
)
def test_a_wrong_name_is_told_with_its_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        use(path)
    assert said in str(raised.value)


def use(path: str) -> None:
    settings = Settings.load(path)
    settings.check_members(("bpr", "als"))
    settings.fill("als", Numbers())
    settings.fill_fusion(Numbers())


@pytest.mark.parametrize("text", ["{", '{"members": {"als": {}}, "nothing": 1}'])
def test_wrong_text_is_a_config_error(text: str) -> None:
    with pytest.raises(ConfigError, match="settings"):
        Settings.load(text)


def test_tables_inside_tables_are_merged() -> None:
    assert merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 9}, "d": {"e": 1}}) == {
        "a": {"b": 9, "c": 2},
        "d": {"e": 1},
    }


def test_a_space_knows_what_it_holds() -> None:
    assert Range(low=1, high=3).holds(1)
    assert Range(low=1, high=3).holds(3.0)
    assert not Range(low=1, high=3).holds(3.1)
    assert not Range(low=1, high=3).holds(None)
    assert Choice(options=(None, 2)).holds(None)
    assert not Choice(options=(None, 2)).holds(3)
