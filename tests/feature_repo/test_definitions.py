import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from sqlite3 import connect

import pytest
from feature_shop import planted_events, write_tables

from components.common import services
from components.materialize.online import materialize_online
from components.materialize.repo import repository
from components.materialize.run import materialize
from components.prepare.run import prepare

FEAST = str(Path(sys.executable).with_name("feast"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repo")
    write_tables(folder / "tables", planted_events(), window_days=20)
    prepare(folder / "tables", folder / "prepared", "temporal", "fast", 0)
    materialize(folder / "prepared", None, folder / "features")
    materialize_online(folder / "features", folder / "store")
    return folder / "store"


def feast(store: Path, *words: str) -> list[str]:
    return [FEAST, "-c", str(repository()), *words]


def environment(store: Path) -> dict[str, str]:
    return {**os.environ, "CUVEE_STORE": str(store)}


def test_the_feast_command_applies_the_repository_and_keeps_what_is_online(store: Path) -> None:
    done = subprocess.run(
        feast(store, "apply"), env=environment(store), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    with closing(connect(store / "online.db")) as connection:
        assert connection.execute('SELECT count(*) FROM "cuvee_user_behaviour"').fetchone()[0] == 3 * 5
    with closing(connect(store / "registry.db")) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        code = [name for name in tables if name in {"on_demand_feature_views", "stream_feature_views"}]
        assert len(code) == 2
        assert [connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in code] == [0, 0]


@contextmanager
def serving(store: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (store / "serve.log").open("wb")
    process = subprocess.Popen(
        feast(store, "serve", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        env=environment(store), stdout=log, stderr=log,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()


def ask(address: str, body: dict[str, object]) -> dict[str, list[object]]:
    """POST /get-online-features once the server is up; feature name -> values."""
    request = urllib.request.Request(
        f"{address}/get-online-features", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    for _ in range(180):
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                answer = json.load(response)
            names = answer["metadata"]["feature_names"]
            return {name: result["values"] for name, result in zip(names, answer["results"], strict=True)}
        except urllib.error.URLError as error:
            if isinstance(error, urllib.error.HTTPError):
                raise
            time.sleep(0.5)
    raise AssertionError(f"{address} did not come up")


def test_feast_serve_answers_for_users_and_items(store: Path) -> None:
    with serving(store) as address:
        user = ask(address, {"feature_service": services.USER_SERVICE, "entities": {"user_id": ["a", "nobody"]}})
        item = ask(address, {"feature_service": services.ITEM_SERVICE, "entities": {"item_id": ["y"]}})
    assert user["item_ids"] == [["x"], None]
    assert user["counts"] == [[13.0], None]
    assert user["profile"] == ["{}", None]
    assert (item["title"], item["buyers"], item["item_events"]) == (["yellow boots"], [1], [19])
