"""Apply the feature repository to a store: one folder with sources, registry and online rows.

`CUVEE_FEATURE_STORE` may choose servers for registry and online rows: a file of feature_repo/overlays by its name, or
one of the shop's own by its path. The folder then still holds the sources and the file that was chosen.
"""

import fcntl
import importlib.util
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import yaml

from components.common.errors import ConfigError
from serving.connections import told_plainly
from serving.features import STORE_FILE, open_store

if TYPE_CHECKING:
    from feast import FeatureStore

STORE_VARIABLE, CHOICE_VARIABLE = "CUVEE_STORE", "CUVEE_FEATURE_STORE"
ONLINE_FILE = "online.db"
OVERLAYS, OFFLINE = "overlays", "offline_store"
EMBEDDED = "sqlite"
_loading = threading.Lock()


def apply(store: Path, scratch: bool = False) -> "FeatureStore":
    """Register the definitions of feature_repo for the folder *store* and open it; safe to repeat and to race.

    Args:
        store: a folder.
        scratch: it belongs to one run: registry and online rows stay in it, whatever was chosen for the shop's store.

    Raises:
        ConfigError: what was chosen does not exist, or asks for a variable that is not set.
        StoreDownError: a server that was chosen does not answer.
    """
    store.mkdir(parents=True, exist_ok=True)
    with _alone(store):
        _write_settings(store / STORE_FILE, scratch)
        return _register(store)


def reopen(store: Path) -> "FeatureStore":
    """Open a store as its own feature_store.yaml says, wherever the folder has been moved since it was applied.

    Raises:
        ReleaseError: the folder has no feature store.
        StoreDownError: a server that it names does not answer.
    """
    with _alone(store):
        return _register(store)


def _register(store: Path) -> "FeatureStore":
    feast = open_store(store)
    with told_plainly():
        feast.apply(_objects(_definitions(store)))
    _keep_newer(store / ONLINE_FILE)
    return feast


def chosen() -> Path:
    """The feature_store.yaml that `CUVEE_FEATURE_STORE` names; without it, the embedded one.

    Raises:
        ConfigError: there is no such file.
    """
    choice = os.environ.get(CHOICE_VARIABLE, "")
    if not choice:
        return repository() / STORE_FILE
    overlays = {path.stem: path for path in sorted((repository() / OVERLAYS).glob("*.yaml"))}
    path = overlays.get(choice, Path(choice))
    if not path.is_file():
        raise ConfigError(
            f"{CHOICE_VARIABLE}: found {choice!r}, expected {', '.join(overlays)}, or the path of a feature_store.yaml."
        )
    return path


def embedded(feast: "FeatureStore") -> bool:
    """Are the online rows in the store's own folder."""
    return bool(feast.config.online_store.type == EMBEDDED)


def forget(store: Path, feast: "FeatureStore") -> None:
    """Remove every online row of the store, and no table."""
    with _alone(store):
        if not embedded(feast):
            feast._get_provider().teardown_infra(feast.project, feast.list_feature_views(), feast.list_entities())
            return
        with closing(sqlite3.connect(store / ONLINE_FILE)) as connection, connection:
            for name in _row_tables(connection):
                connection.execute(f'DELETE FROM "{name}"')


def repository() -> Path:
    """The folder of feature_repo, wherever it is installed; it is read as data, never imported."""
    spec = importlib.util.find_spec("feature_repo")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the package feature_repo is not installed beside components; reinstall cuvee.")
    return Path(spec.submodule_search_locations[0])


def _write_settings(target: Path, scratch: bool) -> None:
    """Copy what was chosen, variables unread; for a run's own folder only its way to read the past."""
    own = repository() / STORE_FILE
    source = chosen()
    if not scratch or source == own:
        shutil.copyfile(source, target)
        return
    settings, wanted = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in (own, source))
    settings[OFFLINE] = wanted.get(OFFLINE, settings[OFFLINE])
    target.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")


def _definitions(store: Path) -> ModuleType:
    """Run definitions.py for *store*, as the feast command does."""
    spec = importlib.util.spec_from_file_location("_cuvee_feature_definitions", repository() / "definitions.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with _loading:
        before = os.environ.get(STORE_VARIABLE)
        os.environ[STORE_VARIABLE] = str(store.resolve())
        try:
            spec.loader.exec_module(module)
        finally:
            if before is None:
                del os.environ[STORE_VARIABLE]
            else:
                os.environ[STORE_VARIABLE] = before
    return module


def _objects(module: ModuleType) -> list[Any]:
    from feast import Entity, FeatureService, FeatureView, Project
    from feast.data_source import DataSource

    kinds = (Project, DataSource, Entity, FeatureView, FeatureService)
    return [value for value in vars(module).values() if isinstance(value, kinds)]


def _keep_newer(online: Path) -> None:
    """Let SQLite itself refuse older rows: Feast's upsert never compares event times, whoever writes."""
    if not online.exists():
        return
    with closing(sqlite3.connect(online)) as connection, connection:
        for name in _row_tables(connection):
            connection.execute(
                f'CREATE TRIGGER IF NOT EXISTS "newer_{name}" BEFORE UPDATE ON "{name}" '
                "WHEN NEW.event_ts < OLD.event_ts BEGIN SELECT RAISE(IGNORE); END"
            )


def _row_tables(connection: sqlite3.Connection) -> list[str]:
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%event_ts%'")
    return [name for (name,) in names.fetchall()]


@contextmanager
def _alone(store: Path) -> Iterator[None]:
    """Hold the store's lock: two processes never apply at once."""
    with (store / ".feast.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
