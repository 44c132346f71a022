"""A store like another whose users' rows are kept by a Redis server: Feast's own Redis store, over a real Valkey."""

import os
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from components.common import columns as c
from components.common.files import read_json
from components.common.moments import moment
from components.common.services import USER_BEHAVIOUR, USER_PROFILE
from components.materialize.repo import ONLINE_FILE
from components.materialize.sources import SOURCES_FOLDER
from serving.features import STORE_FILE, open_store
from serving.recent import WATERMARK_FILE

LINKED = (SOURCES_FOLDER, "releases")  # large, and only read


def on_redis(store: Path, copy: Path, port: int) -> Path:
    """Make *copy* of *store*, and write every user's newest row to the Redis server at the local *port*; the copy."""
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(parents=True)
    for path in sorted(store.iterdir()):
        if path.name in LINKED:
            os.symlink(path.resolve(), copy / path.name)
        elif path.is_file() and not path.name.startswith(ONLINE_FILE):
            shutil.copyfile(path, copy / path.name)
    config = yaml.safe_load((copy / STORE_FILE).read_text(encoding="utf-8"))
    config["online_store"] = {"type": "redis", "connection_string": f"127.0.0.1:{port}"}
    (copy / STORE_FILE).write_text(yaml.safe_dump(config), encoding="utf-8")
    feast, until = open_store(copy), moment(int(read_json(copy / WATERMARK_FILE)["until"]))
    for view in (USER_BEHAVIOUR, USER_PROFILE):
        rows = pq.read_table(copy / SOURCES_FOLDER / f"{view}.parquet").to_pandas()
        known = rows[rows[c.EVENT_TIMESTAMP] <= until].sort_values(c.EVENT_TIMESTAMP, kind="stable")
        feast.write_to_online_store(view, known.drop_duplicates(c.USER_ID, keep="last"))
    return copy
