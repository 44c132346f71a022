"""Apply the feature repository to a store: one folder with sources, registry and online rows."""

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

from serving.features import STORE_FILE, open_store

if TYPE_CHECKING:
    from feast import FeatureStore

STORE_VARIABLE = "CUVEE_STORE"
ONLINE_FILE = "online.db"
_loading = threading.Lock()


def apply(store: Path) -> "FeatureStore":
    """Register the definitions of feature_repo for the folder *store* and open it; safe to repeat and to race."""
    store.mkdir(parents=True, exist_ok=True)
    with _alone(store):
        shutil.copyfile(repository() / STORE_FILE, store / STORE_FILE)
        feast = open_store(store)
        feast.apply(_objects(_definitions(store)))
        _keep_newer(store / ONLINE_FILE)
    return feast


def forget(store: Path) -> None:
    """Remove every online row of the store, and no table."""
    with _alone(store), closing(sqlite3.connect(store / ONLINE_FILE)) as connection, connection:
        for name in _row_tables(connection):
            connection.execute(f'DELETE FROM "{name}"')


def repository() -> Path:
    """The folder of feature_repo, wherever it is installed; it is read as data, never imported."""
    spec = importlib.util.find_spec("feature_repo")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the package feature_repo is not installed beside components; reinstall cuvee.")
    return Path(spec.submodule_search_locations[0])


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
