"""What a feature_store.yaml says, with secrets taken from the environment, and errors of its servers in plain words."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from components.common.errors import ConfigError, CuveeError

FOLDER_VARIABLE = "CUVEE_STORE"
REGISTRY = "registry"
_NAMED = re.compile(r"\$\{(\w+)\}")


class StoreDownError(CuveeError):
    """A server that keeps features or their registry does not answer."""


def read_config(file: Path, store: Path) -> dict[str, Any]:
    """The settings of *file*, every `${NAME}` replaced: CUVEE_STORE by the folder *store*, others by the environment.

    Raises:
        ConfigError: the file is no YAML mapping, or names a variable that is not set.
    """
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{file}: cannot be read as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{file}: expected 'name: value' lines, found {type(found).__name__}.")
    filled: dict[str, Any] = _filled(found, {**os.environ, FOLDER_VARIABLE: str(store.resolve())}, file)
    return filled


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turn what the clients of Redis and of the SQL registry raise into one message; no secret stands in it.

    Raises:
        StoreDownError: a server cannot be reached, or refuses.
    """
    try:
        yield
    except _errors("redis.exceptions", "RedisError") as error:
        raise StoreDownError(_told("online features", "Redis", "CUVEE_REDIS", error)) from error
    except _errors("sqlalchemy.exc", "SQLAlchemyError") as error:
        raise StoreDownError(_told("feature registry", "SQL", "CUVEE_REGISTRY", error)) from error


def _errors(module: str, name: str) -> tuple[type[Exception], ...]:
    """What a client raises, if it was imported at all: the embedded stores need none of them."""
    found = sys.modules.get(module)
    return () if found is None else (getattr(found, name),)


def _told(what: str, kind: str, variable: str, error: Exception) -> str:
    said = str(getattr(error, "orig", None) or error).strip().splitlines()
    return (
        f"{what}: the {kind} server does not answer: {said[0] if said else type(error).__name__}. "
        f"Expected it at the address in {variable}; start it, or correct the address or its password."
    )


def _filled(value: Any, names: Mapping[str, str], file: Path) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, names, file) for key, inner in value.items()}
    if not isinstance(value, str):
        return value
    missing = next((name for name in _NAMED.findall(value) if not names.get(name)), None)
    if missing:
        raise ConfigError(
            f"{file}: asks for the environment variable {missing}, which is not set. Set it, or choose another file."
        )
    return _NAMED.sub(lambda found: names[found[1]], value)
