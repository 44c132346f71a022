"""`cuvee schedule`: recurring runs as a file says, so that they can be kept in git.

Kubeflow Pipelines changes no recurring run and names its schedules' pipelines by ids that the cluster gives, so an
object for `kubectl apply` cannot be written beforehand. What is kept instead is the file; the command makes the server
follow it, and finds nothing to do where it does.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from components.common.config import Config
from components.common.errors import ConfigError
from pipelines.submit import Wish, connected, recur

MARK = "cuvee schedule "  # begins the description of every recurring run that is kept here, before its fingerprint
PAGE = 100


class Schedule(Config):
    """One recurring run."""

    compiled: Path = Field(description="a compiled pipeline, beside the file or an absolute path")
    cron: str = Field(description="seconds minutes hours day month weekday, as in '0 0 3 * * *'")
    arguments: dict[str, Any] = Field(default={}, description="the pipeline's parameters")
    experiment: str = Field(default="cuvee", description="the experiment's name")
    service_account: str = Field(default="cuvee-pipeline", description="the account of the steps")

    def wish(self, folder: Path) -> Wish:
        """What is asked of the server; *folder* is where the file stands."""
        return Wish(**self.model_dump() | {"compiled": folder / self.compiled})


class Schedules(Config):
    """Every recurring run of a namespace that is kept here, by its name."""

    recurring: dict[str, Schedule] = Field(description="by name")


def read(path: Path) -> Schedules:
    """Read a file.

    Raises:
        ConfigError: it is missing or says what it may not; names the field.
    """
    try:
        return Schedules.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise ConfigError(f"{path}: {where}: {problem['msg']}. docs/operations.md has an example.") from error


def schedule(host: str, namespace: str, path: Path) -> list[str]:
    """Make the recurring runs of *namespace* follow the file, one line for each: kept, made, replaced or ended.

    Those that somebody else made are left alone. A new one is there before the old one ends.

    Raises:
        ConfigError: the file, a compiled pipeline or a clock is wrong; nothing was sent.
        CuveeError: the server cannot be reached or refuses.
    """
    wishes = {name: one.wish(path.parent) for name, one in read(path).recurring.items()}
    prints = {name: _fingerprint(wish) for name, wish in wishes.items()}
    with connected(host, namespace) as connection:
        found = list(_ours(connection, namespace))
        lines = []
        for name, wish in wishes.items():
            there = [told for _, own, told in found if own == name]
            kept = prints[name] in there
            lines.append(f"{name}: {'kept' if kept else 'replaced' if there else 'made'}")
            if not kept:
                recur(connection, namespace, wish, name, prints[name])
        for number, (own_id, name, told) in enumerate(found):
            again = told in [other for _, own, other in found[:number] if own == name]
            if again or prints.get(name) != told:
                connection.delete_recurring_run(own_id)
            lines += [f"{name}: ended"] if name not in wishes else []
    return lines


def _fingerprint(wish: Wish) -> str:
    """Of all that would make it another run."""
    told = wish.model_dump_json(exclude={"compiled"}).encode()
    return MARK + hashlib.sha256(wish.checked().compiled.read_bytes() + told).hexdigest()[:16]


def _ours(connection: Any, namespace: str) -> Iterator[tuple[str, str, str]]:
    """(id, name, description) of the recurring runs that are kept here."""
    token = ""
    while True:
        page = connection.list_recurring_runs(page_token=token, page_size=PAGE, namespace=namespace)
        for run in page.recurring_runs or []:
            if (run.description or "").startswith(MARK):
                yield run.recurring_run_id, run.display_name, run.description
        token = page.next_page_token or ""
        if not token:
            return
