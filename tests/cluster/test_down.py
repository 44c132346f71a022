"""What is said and done when a server of the cluster is down, empty or refuses; on a small release."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cluster_servers import BUCKET, RELEASES, Parts, all_parts
from pyarrow.fs import S3FileSystem
from redis import Redis
from small_release import small_release

from components.common import columns as c
from components.common.errors import ConfigError, CuveeError, ReleaseError
from components.common.files import read_json, write_json
from components.common.identity import id_key, pseudonym
from components.common.prepared import Prepared
from components.deploy.bucket import releases_address, upload
from components.deploy.publish import publish
from components.deploy.trial import post, running_server
from components.materialize.online import materialize_online
from components.materialize.repo import chosen
from components.materialize.run import FEATURES_FILE, materialize
from serving.arrays import Longs
from serving.bucket import fetch
from serving.catalogue import Catalogue
from serving.connections import StoreDownError
from serving.features import OnlineStates
from serving.recent import WATERMARK_FILE
from serving.release import MANIFEST_FILE
from serving.states import UserStates

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def work(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `release`, `features` and the store `store`, whose rows are on Valkey."""
    work = tmp_path_factory.mktemp("small")
    release = small_release(work)
    prepared = Prepared.load(work / "prepared")
    prepared.users[c.USER_ID] = [pseudonym(user, id_key(work / "store")) for user in prepared.users[c.USER_ID]]
    prepared.save(work / "prepared")
    materialize(work / "prepared", None, work / "features")
    materialize_online(work / "features", work / "store")
    publish(release, work / "store")
    return work


def states(work: Path, users: list[str] | None = None) -> UserStates:
    """What the online store says of *users*, or of all with behaviour."""
    catalogue = Catalogue.load(work / "release" / "catalogue.parquet")
    known = pq.read_table(work / "features" / "sources" / "user_behaviour.parquet")[c.USER_ID].to_pylist()
    return OnlineStates(work / "store", catalogue).states(users or sorted(set(known)), 2**60)


def sizes(work: Path, users: list[str] | None = None) -> Longs:
    return states(work, users).sizes


def redis(parts: Parts) -> Redis:
    return Redis(port=parts.valkey.port, password=parts.valkey.secret)


def test_rows_that_the_server_has_lost_are_written_again(parts: Parts, work: Path) -> None:
    before = states(work)
    assert before.sizes.min() > 0
    redis(parts).flushall()
    assert sizes(work).max() == 0
    materialize_online(work / "features", work / "store")
    np.testing.assert_array_equal(states(work).counts, before.counts)


def test_with_the_past_on_ray_the_same_rows_go_online(
    parts: Parts, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`cluster-ray` differs from `cluster` in who reads the past; what is online is Redis' all the same."""
    pytest.importorskip("ray")
    before = states(work)
    redis(parts).flushall()
    monkeypatch.setenv("CUVEE_FEATURE_STORE", "cluster-ray")
    materialize_online(work / "features", tmp_path / "store")
    assert "RayOfflineStore" in (tmp_path / "store" / "feature_store.yaml").read_text()
    catalogue = Catalogue.load(work / "release" / "catalogue.parquet")
    after = OnlineStates(tmp_path / "store", catalogue).states(list(before.user_ids), 2**60)
    for name in ("indptr", "items", "last_at", "first_at", "counts"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name), err_msg=name)


def test_rows_of_another_vocabulary_give_way_though_their_moment_is_the_same(work: Path, tmp_path: Path) -> None:
    before = states(work).counts
    other = tmp_path / "features"
    (other / "sources").mkdir(parents=True)
    for path in (work / "features" / "sources").glob("*.parquet"):
        table = pd.read_parquet(path)
        if c.COUNTS in table:
            table[c.COUNTS] = [2 * counts for counts in table[c.COUNTS]]
        pq.write_table(pa.Table.from_pandas(table, pq.read_schema(path)), other / "sources" / path.name)
    facts = read_json(work / "features" / FEATURES_FILE)
    write_json(other / FEATURES_FILE, facts | {"vocabulary": "other weights"})
    materialize_online(other, work / "store")
    np.testing.assert_allclose(states(work).counts, 2 * before)
    materialize_online(work / "features", work / "store")
    np.testing.assert_allclose(states(work).counts, before)


def test_rows_of_a_shop_with_later_events_are_removed_first(parts: Parts, work: Path) -> None:
    store, user = work / "store", states(work).user_ids[0]
    stranger = user[::-1]
    with redis(parts) as client:
        (key,) = client.scan_iter(b"*" + user.encode() + b"*")
        client.copy(key, key.replace(user.encode(), stranger.encode()))
    mark = read_json(store / WATERMARK_FILE)
    write_json(store / WATERMARK_FILE, mark | {"until": mark["until"] + 1, "vocabulary": "of another shop"})
    assert sizes(work, [user, stranger]).min() > 0
    materialize_online(work / "features", store)
    assert sizes(work, [user, stranger]).tolist() == [sizes(work, [user])[0], 0]


def test_a_server_keeps_answering_without_the_registry_and_says_what_it_lacks_without_redis(
    work: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with all_parts(tmp_path_factory.mktemp) as own:
        materialize_online(work / "features", tmp_path / "store")
        (tmp_path / "store" / "id.key").write_bytes((work / "store" / "id.key").read_bytes())
        ask = {"instances": [{"scenario": "recommend", "user_id": "u07"}]}
        with running_server(work / "release", tmp_path / "store", tmp_path / "server.log") as url:
            whole = post(f"{url}/v1/models/cuvee:predict", ask)["predictions"][0]
            own.postgres.stop()
            assert post(f"{url}/v1/models/cuvee:predict", ask)["predictions"][0]["items"] == whole["items"]
            own.valkey.stop()
            began = time.monotonic()
            without = post(f"{url}/v1/models/cuvee:predict", ask)["predictions"][0]
            assert time.monotonic() - began < 3
        assert whole["degraded"] == []
        assert without["degraded"] == ["features"]
        assert len(without["items"]) == len(whole["items"])
        plain(lambda: materialize_online(work / "features", tmp_path / "store"), own, StoreDownError, "CUVEE_REGISTRY")


def plain(call: Any, parts: Parts, kind: type[CuveeError], *said: str) -> None:
    """It raises one message that says all of *said* and no secret."""
    with pytest.raises(kind) as told:
        call()
    for word in said:
        assert word in str(told.value)
    for server in (parts.valkey, parts.postgres, parts.s3):
        assert server.secret not in str(told.value)
    assert "\n" not in str(told.value)


def test_servers_that_are_down_or_refuse_are_named_in_one_line(
    parts: Parts, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write() -> int:
        return materialize_online(work / "features", work / "store")

    with monkeypatch.context() as patch:
        patch.setenv("CUVEE_REDIS", "127.0.0.1:1,password=" + parts.valkey.secret)
        plain(write, parts, StoreDownError, "online features", "CUVEE_REDIS")
        patch.setenv("CUVEE_REDIS", f"127.0.0.1:{parts.valkey.port},password=wrong")
        plain(write, parts, StoreDownError, "online features", "CUVEE_REDIS")
    with monkeypatch.context() as patch:
        patch.setenv("CUVEE_REGISTRY", f"postgresql+psycopg://cuvee:wrong@127.0.0.1:{parts.postgres.port}/cuvee")
        plain(write, parts, StoreDownError, "feature registry", "CUVEE_REGISTRY", "password authentication failed")
    with monkeypatch.context() as patch:
        patch.delenv("CUVEE_REDIS")
        plain(write, parts, ConfigError, "CUVEE_REDIS", "not set")
        patch.setenv("CUVEE_FEATURE_STORE", "clutser")
        plain(chosen, parts, ConfigError, "clutser", "cluster")


def test_a_bucket_that_is_down_refuses_or_lacks_the_release_is_told_in_one_line(
    parts: Parts, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (store,) = (work / "store" / "releases").iterdir()
    address = upload(store, RELEASES)
    assert (fetch(address, tmp_path / "whole") / MANIFEST_FILE).read_bytes() == (store / MANIFEST_FILE).read_bytes()
    plain(lambda: fetch(f"{RELEASES}/{'0' * 64}", tmp_path / "absent"), parts, ReleaseError, "0" * 64)
    plain(lambda: fetch(RELEASES, tmp_path / "none"), parts, ConfigError, "digest")
    with monkeypatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        plain(lambda: fetch(address, tmp_path / "refused"), parts, ReleaseError, address)
        patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        plain(lambda: upload(store, RELEASES), parts, ReleaseError, address, "AWS_ENDPOINT_URL")
        command = [sys.executable, "-m", "serving.server", "--store", str(work / "store"), "--release", address]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert address in done.stderr
        patch.setenv("CUVEE_RELEASES", "/mnt/releases")
        plain(releases_address, parts, ConfigError, "CUVEE_RELEASES")


def test_what_no_release_holds_is_not_fetched(parts: Parts, work: Path, tmp_path: Path) -> None:
    (store,) = (work / "store" / "releases").iterdir()
    address = upload(store, f"s3://{BUCKET}/odd")
    files: S3FileSystem = parts.files
    with files.open_output_stream(f"{BUCKET}/odd/{store.name}/.hidden") as written:
        written.write(b"?")
    plain(lambda: fetch(address, tmp_path / "odd"), parts, ReleaseError, ".hidden")
    assert not (tmp_path / "odd").exists()
    address = upload(store, f"s3://{BUCKET}/changed")
    with files.open_output_stream(f"{BUCKET}/changed/{store.name}/catalogue.parquet") as written:
        written.write(b"?")
    plain(lambda: fetch(address, tmp_path / "changed"), parts, ReleaseError, "catalogue.parquet")
