"""The main job with features on a real Valkey, their registry on a real Postgres, releases on a real S3 server."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pytest
from cluster_servers import BUCKET, RELEASES, Parts
from pyarrow.fs import FileSelector
from shops import write_small_shop

from components.common.identity import id_key, pseudonym
from components.deploy.publish import champion, publish
from components.deploy.trial import post, running_server
from components.materialize.online import materialize_online
from serving.bucket import fetch
from serving.catalogue import Catalogue
from serving.features import OnlineStates
from serving.release import MANIFEST_FILE, verify

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_shop(tmp_path_factory.mktemp("shop"), households=260, products=500)


@pytest.fixture(scope="module")
def run(parts: Parts, shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the main job, run over those servers."""
    out = tmp_path_factory.mktemp("run")
    command = [sys.executable, "-m", "pipelines.cli", "run", "--data", str(shop), "--out", str(out), "--seed", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    (out / "console.log").write_text(done.stdout + done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr + (out / "run.log").read_text()[-4000:]
    return out


@pytest.fixture(scope="module")
def embedded(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same job's store as it is without any server: a folder with SQLite."""
    store = tmp_path_factory.mktemp("embedded")
    (store / "id.key").write_bytes((run / "store" / "id.key").read_bytes())
    (features,) = (run / "pipeline").glob("*/materialize/features")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CUVEE_FEATURE_STORE", "CUVEE_REDIS", "CUVEE_REGISTRY", "CUVEE_RELEASES"):
            patch.delenv(name, raising=False)
        materialize_online(features, store)
        publish(run / "release", store)
    return store


def test_rows_are_on_valkey_the_registry_on_postgres_and_the_release_on_s3(parts: Parts, run: Path) -> None:
    store, published = run / "store", champion(run / "store")
    assert published is not None
    assert not (store / "online.db").exists()
    assert not (store / "registry.db").exists()
    registry = f"host=127.0.0.1 port={parts.postgres.port} user=cuvee dbname=cuvee password={parts.postgres.secret}"
    with psycopg.connect(registry) as connection:
        views = {name for (name,) in connection.execute("SELECT feature_view_name FROM feature_views")}
    assert {"user_behaviour", "user_profile", "item_attributes"} <= views
    names = {one.base_name for one in parts.files.get_file_info(FileSelector(f"{BUCKET}/releases", recursive=True))}
    assert {published.name, MANIFEST_FILE, "catalogue.parquet"} <= names
    service = (run / "deployment" / "inference_service.yaml").read_text()
    assert f"value: {RELEASES}/{published.name}" in service


def test_the_online_rows_equal_those_of_the_embedded_default(run: Path, shop: Path, embedded: Path) -> None:
    catalogue = Catalogue.load(run / "release" / "catalogue.parquet")
    raw = pd.read_parquet(shop / "users.parquet")["user_id"].astype(str)
    users = [*(pseudonym(user, id_key(embedded)) for user in raw), "nobody"]
    there, here = (OnlineStates(store, catalogue).rows(users) for store in (run / "store", embedded))
    assert sum(row is not None for row in here) >= 200
    for one, other in zip(there, here, strict=True):
        assert plain(one) == plain(other)


def plain(row: Any) -> Any:
    return row if row is None else {name: getattr(value, "tolist", lambda v=value: v)() for name, value in row.items()}


def test_the_server_over_those_parts_answers_as_the_embedded_one(
    run: Path, shop: Path, embedded: Path, tmp_path: Path
) -> None:
    """Release from S3 and rows from Valkey on one side, a folder on the other: the same answers, row for row."""
    digest = verify(run / "release").release
    asked = questions(shop)
    with running_server(f"{RELEASES}/{digest}", run / "store", tmp_path / "there.log") as url:
        there = answers(url, asked)
    with running_server(embedded / "releases" / digest, embedded, tmp_path / "here.log") as url:
        here = answers(url, asked)
    assert len(here) == len(asked) >= 300
    assert there == here
    assert all(answer["degraded"] == [] and answer["release"] == digest for answer in there)
    assert sum(len(answer["items"]) for answer in there) > 9 * len(asked)


def questions(shop: Path) -> list[dict[str, Any]]:
    users = pd.read_parquet(shop / "users.parquet")["user_id"].astype(str)
    items = pd.read_parquet(shop / "items.parquet").head(60)
    asked = [{"scenario": "recommend", "user_id": user, "explain": True} for user in users]
    asked += [{"scenario": "similar", "item_id": item} for item in items["item_id"].astype(str)]
    asked += [{"scenario": "search", "query": title} for title in items["title"].head(20)]
    return [*asked, {"scenario": "recommend", "user_id": "never seen"}]


def answers(url: str, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Predictions without their own ids."""
    found: list[dict[str, Any]] = []
    for start in range(0, len(asked), 50):
        answer = post(f"{url}/v1/models/cuvee:predict", {"instances": asked[start : start + 50]})
        found += [{k: v for k, v in one.items() if k != "request_id"} for one in answer["predictions"]]
    return found


def test_a_release_from_the_bucket_is_the_one_that_was_packaged(run: Path, tmp_path: Path) -> None:
    digest = verify(run / "release").release
    fetched = fetch(f"{RELEASES}/{digest}", tmp_path)
    for path in (one for one in (run / "release").rglob("*") if one.is_file()):
        assert (fetched / path.relative_to(run / "release")).read_bytes() == path.read_bytes()


def test_no_secret_is_in_any_file_or_log(parts: Parts, run: Path) -> None:
    secrets = [server.secret.encode() for server in (parts.valkey, parts.postgres, parts.s3)]
    for path in (one for one in run.rglob("*") if one.is_file()):
        content = path.read_bytes()
        assert not [secret for secret in secrets if secret in content], path
    told = (run / "store" / "feature_store.yaml").read_text()
    assert "${CUVEE_REDIS}" in told
    assert "${CUVEE_REGISTRY}" in told
    assert json.loads((run / "store" / "watermark.json").read_text())["online"] == "redis"
    assert os.environ["CUVEE_REDIS"].endswith(parts.valkey.secret)  # it was there to be found
