"""Settings of a run: numbers it is told instead of choosing them, and members it is told to leave out."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from pydantic import Field, PrivateAttr, StrictBool

from components.common.config import Config
from components.common.errors import ConfigError

INLINE = "{"
ConfigT = TypeVar("ConfigT", bound=Config)


class Settings(Config):
    """A settings file, as `cuvee tune` writes it and `cuvee run --settings` reads it; empty: the run chooses.

    A stage asks for what concerns it: `wants`, `tells` and `fill` for its members, `fill_fusion` for the blend.
    """

    members: dict[str, StrictBool | dict[str, Any]] = Field(
        default_factory=dict,
        description="by member: its numbers (the member then skips its own search), or true / false to train it or not",
    )
    fusion: dict[str, Any] = Field(default_factory=dict, description="how weights are learned")

    _source: str = PrivateAttr("settings")

    @classmethod
    def load(cls, given: str) -> Self:
        """Read a YAML file, or the settings themselves as JSON (`{...}`); empty text gives empty settings.

        Raises:
            ConfigError: the file cannot be read, or holds an unknown name or a wrong value.
        """
        if not given:
            return cls()
        if not given.startswith(INLINE):
            return cls.from_yaml(Path(given))._named(given)
        try:
            values = yaml.safe_load(given)  # JSON is YAML
        except yaml.YAMLError as error:
            raise ConfigError(f"settings: cannot be read: {' '.join(str(error).split())}") from error
        return cls.parse(values, "settings")

    def _named(self, source: str) -> Self:
        self._source = source
        return self

    @classmethod
    def of_members(cls, given: str, known: Iterable[str]) -> Self:
        """`load`, then `check_members`."""
        settings = cls.load(given)
        settings.check_members(known)
        return settings

    def check_members(self, known: Iterable[str]) -> None:
        """Refuse names that are no member's.

        Raises:
            ConfigError: one is not among *known*.
        """
        names = sorted(known)
        for name in self.members:
            if name not in names:
                near = get_close_matches(name, names, n=1)
                meant = f" Did you mean '{near[0]}'?" if near else ""
                raise ConfigError(f"{self._source}: members: unknown '{name}'.{meant} Known: {', '.join(names)}.")

    def wants(self, name: str, usual: bool = True) -> bool:
        """Is the member to be trained; *usual*: what holds where the settings do not say."""
        said = self.members.get(name, usual)
        return said if isinstance(said, bool) else True

    def tells(self, name: str) -> bool:
        """Are numbers given for the member, so that it need not search."""
        return isinstance(self.members.get(name), dict)

    def searches(self, name: str) -> bool:
        """Is the member to be trained with numbers it finds itself."""
        return self.wants(name) and not self.tells(name)

    def fill(self, name: str, start: ConfigT) -> ConfigT:
        """*start* with the numbers given for the member; what is not named stays.

        Raises:
            ConfigError: a name that the member's configuration does not have, or a wrong value.
        """
        said = self.members.get(name)
        return self._filled(start, said, f"members.{name}") if isinstance(said, dict) else start

    def fill_fusion(self, start: ConfigT) -> ConfigT:
        """*start* with what the section `fusion` says.

        Raises:
            ConfigError: an unknown name or a wrong value.
        """
        return self._filled(start, self.fusion, "fusion")

    def _filled(self, start: ConfigT, values: dict[str, Any], key: str) -> ConfigT:
        return type(start).parse(merged(start.model_dump(), values), f"{self._source}: {key}")


def merged(values: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """*values* overridden by *others*, tables inside tables likewise."""
    result = dict(values)
    for name, value in others.items():
        inner = result.get(name)
        result[name] = merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return result
