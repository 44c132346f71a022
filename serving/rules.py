"""Rules as data: what a release must not show, by name and task."""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from components.common.config import Config
from components.common.errors import ReleaseError
from components.common.files import read_json, write_json
from serving.queries import BUNDLE, DISCOVERY, SIMILAR

RULES_FILE = "rules.json"


class Rule(Config):
    """Leave items out: `unavailable` those that are not for sale, `seen` those of the user's history or the anchors."""

    name: Literal["unavailable", "seen"]
    action: Literal["filter"] = "filter"
    tasks: tuple[str, ...] = Field((), description="where it holds; empty: everywhere")


class Rules(Config):
    """The rules of a release."""

    schema_version: Literal[1] = 1
    rules: tuple[Rule, ...]

    def holds(self, name: str, task: str) -> bool:
        """Does the rule *name* hold for *task*."""
        return any(rule.name == name and (not rule.tasks or task in rule.tasks) for rule in self.rules)

    def save(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, self.model_dump(mode="json"))

    @classmethod
    def load(cls, path: Path) -> "Rules":
        """Read what `save` wrote.

        Raises:
            ReleaseError: the file is missing, damaged, or names a rule that this version does not know.
        """
        try:
            return cls(**read_json(path))
        except (OSError, ValueError, TypeError, ValidationError) as error:
            raise ReleaseError(f"{path.name}: cannot be read as rules: {error}. Build the release again.") from error


STANDARD = Rules(rules=(Rule(name="unavailable"), Rule(name="seen", tasks=(DISCOVERY, SIMILAR, BUNDLE))))
