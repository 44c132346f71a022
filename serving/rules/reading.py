"""Rules from a file: YAML or JSON into a checked set, or one message with the line that is wrong."""

import json
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from components.common.config import Config
from components.common.errors import ConfigError, ReleaseError
from components.common.files import read_json, write_json
from serving.rules.schema import Boost, Bury, Diversify, Filter, Pin, Rules

RULES_FILE = "rules.json"
MAX_BYTES = 256 << 10
ACTIONS: dict[str, type[Config]] = {"filter": Filter, "pin": Pin, "boost": Boost, "bury": Bury, "diversify": Diversify}


def save(rules: Rules, path: Path) -> None:
    """Write as JSON."""
    write_json(path, rules.model_dump(mode="json", exclude_none=True))


def load(path: Path) -> Rules:
    """Read what `save` wrote into a release.

    Raises:
        ReleaseError: the file is missing, damaged, or says what this version does not know.
    """
    try:
        return Rules(**read_json(path))
    except (OSError, ValueError, TypeError, ValidationError) as error:
        raise ReleaseError(f"{path.name}: cannot be read as rules: {error}. Build the release again.") from error


def read(text: bytes, source: str) -> Rules:
    """Check rules that people write.

    Args:
        text: YAML, or JSON, which is YAML too: {rules: [...]}.
        source: what to call it in the error.

    Raises:
        ConfigError: names the line, the rule and the field, what was found and what was expected.
    """
    node, values = _document(text, source)
    try:
        return Rules.model_validate(values)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        first = next((one for one in problems if one["type"] == "extra_forbidden"), problems[0])
        line = _line(node, first["loc"])
        raise ConfigError(f"{source}, line {line}: {_rule(node, first['loc'])}{_told(first)}") from error


def _document(text: bytes, source: str) -> tuple[yaml.Node, Any]:
    """The document as nodes that know their lines, and as plain values; no aliases, no name said twice.

    Raises:
        ConfigError: not YAML, or not one document of names and values.
    """
    if len(text) > MAX_BYTES:
        raise ConfigError(f"{source}: {len(text)} bytes; rules are at most {MAX_BYTES >> 10} KiB.")
    try:
        for token in yaml.scan(text):
            if isinstance(token, yaml.AliasToken):
                raise _at(source, token.start_mark, "rules have no aliases; write the value out")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        for key in _repeated(node):
            raise _at(source, key.start_mark, f"'{key.value}' is said twice")
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        told = " ".join(str(getattr(error, "problem", None) or error).split())
        raise (_at(source, mark, told) if mark else ConfigError(f"{source}: {told}")) from error
    except (RecursionError, ValueError) as error:
        raise ConfigError(f"{source}: cannot be read as YAML: {error}") from error
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{source}, line 1: expected 'rules:' and a list of rules.")
    return node, values


def _at(source: str, mark: Any, told: str) -> ConfigError:
    return ConfigError(f"{source}, line {mark.line + 1}, column {mark.column + 1}: {told}.")


def _repeated(node: yaml.Node | None) -> Iterator[yaml.Node]:
    """Keys that stand twice in one mapping, anywhere in *node*."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen if isinstance(key, yaml.ScalarNode) else False:
                yield key
            seen.add(str(key.value))
            yield from _repeated(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _repeated(value)


def _line(node: yaml.Node, location: Sequence[int | str]) -> int:
    """The line of the innermost part of *location* that the document has."""
    mark = node.start_mark
    for part in location:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            mark = node.start_mark
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == part:
                    mark, node = key.start_mark, value
                    break
    return int(mark.line) + 1


def _rule(node: yaml.Node, location: Sequence[int | str]) -> str:
    """`rule 'name': `, where the error is about one that has a name."""
    number = location[1] if len(location) > 1 else None
    listed = next((value for key, value in node.value if key.value == "rules"), None)
    if not isinstance(number, int) or not isinstance(listed, yaml.SequenceNode) or number >= len(listed.value):
        return ""
    fields = listed.value[number].value if isinstance(listed.value[number], yaml.MappingNode) else []
    name = next((value.value for key, value in fields if key.value == "name"), number + 1)
    return f"rule {str(name)[:64]!r}: "


def _told(error: Any) -> str:
    """What is wrong, in words."""
    named = [str(part) for part in error["loc"] if not isinstance(part, int) and part not in ACTIONS]
    inside = any(isinstance(part, int) for part in error["loc"])
    name, found = ".".join(named[1:] if inside else named), _shown(error.get("input"))
    if error["type"] == "extra_forbidden":
        known = sorted(_model(error["loc"]).model_fields)
        near = get_close_matches(name, known, n=1)
        meant = f" Did you mean '{near[0]}'?" if near else ""
        return f"unknown name '{name}'.{meant} Known names: {', '.join(known)}."
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return f"'action': expected one of {', '.join(ACTIONS)}."
    told = error["msg"].removeprefix("Value error, ")
    return f"'{name}': {told} (found {found:.100})." if name else f"{told}."


def _shown(value: object) -> str:
    """*value* as JSON; its kind, where it cannot be written: YAML knows dates for names, and numbers without end."""
    try:
        return json.dumps(value, default=str)
    except (TypeError, ValueError, RecursionError):
        return type(value).__name__


def _model(location: Sequence[int | str]) -> type[Config]:
    return next((ACTIONS[part] for part in location if isinstance(part, str) and part in ACTIONS), Rules)
