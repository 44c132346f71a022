"""The whole pipeline through the command line, on a real slice of Complete Journey."""

import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from shops import CORRUPTIONS, write_small_shop

from components.common.identity import id_key, pseudonym
from components.common.prepared import Prepared
from components.deploy.publish import champion
from components.deploy.trial import post, running_server
from components.materialize.online import materialize_online
from serving.engine import Engine
from serving.features import HistoricalStates, OnlineStates
from serving.queries import RECOMMEND
from serving.release import verify

ROOT = Path(__file__).parents[2]
COMPILED = ROOT / "pipelines" / "compiled" / "train_and_deploy.yaml"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KEYS = {
    "schema_version", "protocol", "seed", "effort", "as_of", "release", "dataset", "members", "methods", "fused",
    "tasks", "channels", "gain", "oracle", "segments", "search", "relations", "scenarios", "timings_s",
    "peak_rss_mb",
}  # fmt: skip
PER_MEMBER = {"ndcg@10", "recall@10", "recall@20", "hit@10", "mrr@10", "coverage@10"}


def cuvee(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("cuvee")), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)


def tree(folder: Path) -> dict[str, str]:
    """Digest of every file below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".lock")]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_shop(tmp_path_factory.mktemp("shop"), households=260, products=500)


@pytest.fixture(scope="module")
def run(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run's folder: of the compiled pipeline, as a cluster would run it."""
    out = tmp_path_factory.mktemp("run")
    done = cuvee("run", "--data", shop, "--out", out, "--seed", 3, "--compiled", COMPILED)
    log = out / "run.log"
    assert done.returncode in (0, 3), done.stdout + done.stderr + (log.read_text()[-4000:] if log.exists() else "")
    return out


@pytest.fixture(scope="module")
def metrics(run: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((run / "report" / "metrics.json").read_text())
    return loaded


def step(run: Path, name: str) -> Path:
    return next((run / "pipeline").glob("train-and-deploy-*")) / name


def test_a_run_leaves_what_the_contract_promises(run: Path, metrics: dict[str, Any]) -> None:
    for path in ("report/report.html", "report/data_docs/index.html", "release/manifest.json"):
        assert (run / path).stat().st_size > 0
    assert set(metrics) == KEYS
    assert (metrics["protocol"], metrics["seed"], metrics["effort"]) == ("temporal", 3, "fast")
    for values in [*metrics["members"].values(), *metrics["methods"].values(), metrics["fused"]]:
        assert set(values) >= PER_MEMBER
    assert {"discovery", "next_basket"} == set(metrics["tasks"])
    assert {"alpha", "least_squares", "softmax"} <= set(metrics["methods"])
    assert set(metrics["timings_s"]) >= {"ingest", "validate", "prepare", "train_deep", "fuse", "evaluate"}
    assert metrics["peak_rss_mb"] > 0


PAGES = {
    "ingest": "| events | ", "prepare": "| users | 260 |", "encode": "| text | ", "materialize": "| test | ",
    "train-cf": "| popularity | ", "train-deep": "| sequence | ", "train-rules": "| complements | ",
    "train-text": "| tfidf | ", "fuse": "## discovery: ", "package": "| members | ", "deploy": "| recommend | v1 | ",
    "materialize-online": "is known online",
}  # fmt: skip


def test_every_step_leaves_a_page_for_the_interface(run: Path) -> None:
    for name, held in PAGES.items():
        told = (step(run, name) / "page").read_text()
        assert told.startswith("# ")
        assert held in told, (name, told)


def test_who_took_what_is_counted_for_the_interface(run: Path, metrics: dict[str, Any]) -> None:
    told = json.loads((step(run, "evaluate") / "executor_output.json").read_text())["artifacts"]["curve"]
    matrix = told["artifacts"][0]["metadata"]["confusionMatrix"]
    (rest, false), (lost, taken) = ([int(number) for number in row["row"]] for row in matrix["rows"])
    users = (false + taken) / 10
    assert rest + false + lost + taken == users * metrics["dataset"]["items"]
    assert taken / (false + taken) == pytest.approx(metrics["fused"]["precision@10"])


def test_every_family_has_members_in_the_blend(metrics: dict[str, Any]) -> None:
    assert {"popularity", "als", "item_knn", "cooccurrence", "tfidf", "text", "sequence"} <= set(metrics["members"])
    assert "repurchase" in metrics["tasks"]["next_basket"]["members"]


def test_what_is_evaluated_is_what_is_published(run: Path, metrics: dict[str, Any]) -> None:
    published = champion(run / "store")
    assert published is not None
    assert published.name == metrics["release"] == verify(published).release == verify(run / "release").release
    answers = json.loads((run / "deployment" / "answer.json").read_text())
    assert {answer["protocol"] for answer in answers} == {"v1", "v2"}


@pytest.mark.long
def test_the_compiled_pipeline_gives_the_same_metrics(shop: Path, metrics: dict[str, Any], tmp_path: Path) -> None:
    """As the one that is not compiled, also with another store, whose users have other pseudonyms: the same release."""
    done = cuvee("run", "--data", shop, "--out", tmp_path, "--seed", 3)
    assert done.returncode == 0, done.stdout
    again = json.loads((tmp_path / "report" / "metrics.json").read_text())
    for timed in ("timings_s", "peak_rss_mb"):
        del again[timed]
    assert again == {name: value for name, value in metrics.items() if name in again}


def test_http_answers_equal_evaluation_scores_for_200_users(run: Path, shop: Path, tmp_path: Path) -> None:
    features, store = step(run, "materialize") / "features", tmp_path / "store"
    store.mkdir()
    (store / "id.key").write_bytes((run / "store" / "id.key").read_bytes())
    prepared = Prepared.load(step(run, "prepare") / "prepared")
    cut = prepared.split.test
    assert cut.as_of is not None
    materialize_online(features, store, until=cut.as_of)

    engine = Engine.load(run / "release")
    history = HistoricalStates.load(features / "states" / "test.parquet", engine.catalogue)
    raw = pd.read_parquet(shop / "users.parquet")["user_id"].astype(str)
    names = {pseudonym(user, id_key(store)): user for user in raw}
    users = [user for user in history.user_ids if user in names][:200]
    assert len(users) == 200

    offline, online = history.states(users, cut.as_of), OnlineStates(store, engine.catalogue).states(users, cut.as_of)
    for name in ("indptr", "items", "last_at", "first_at", "counts", "as_of"):
        np.testing.assert_array_equal(getattr(online, name), getattr(offline, name), err_msg=name)

    ranking = engine.rank(engine.pool(engine.queries(RECOMMEND, offline), "discovery"), "discovery", 10)
    moment = (EPOCH + timedelta(microseconds=cut.as_of)).isoformat()
    with running_server(run / "release", store, tmp_path / "server.log", as_of=moment) as url:
        instances = [{"scenario": "recommend", "user_id": names[user], "k": 10} for user in users]
        answer = post(f"{url}/v1/models/cuvee:predict", {"instances": instances})
    for row, prediction in enumerate(answer["predictions"]):
        assert prediction["degraded"] == []
        assert [item["item_id"] for item in prediction["items"]] == [
            engine.catalogue.ids[i] for i in ranking.items[row]
        ]
        scores = [item["score"] for item in prediction["items"]]
        np.testing.assert_allclose(scores, ranking.scores[row], rtol=1e-5, atol=1e-6)


POISONS = [pytest.param(name, marks=[pytest.mark.long] * (place > 0)) for place, name in enumerate(sorted(CORRUPTIONS))]


@pytest.mark.parametrize("name", POISONS)
def test_a_poisoned_shop_ends_with_one_message_and_publishes_nothing(run: Path, tmp_path: Path, name: str) -> None:
    """One of them always, all with `make test-all`; tests/components/validate spoils every one at its stage."""
    store = run / "store"
    before = tree(store)
    CORRUPTIONS[name](write_small_shop(tmp_path / "shop"))
    done = cuvee("run", "--data", tmp_path / "shop", "--out", tmp_path / "out", "--store", store)
    assert done.returncode == 2, f"{name}: {done.stdout}"
    assert done.stdout.count("✗") == 1
    assert (
        "table '" in done.stdout or str(tmp_path / "shop") in done.stdout
    )  # where it is: in a table, or among the files
    assert "Nothing was published" in done.stdout
    assert tree(store) == before


def test_a_shop_folder_that_does_not_exist_and_a_typo_are_exit_code_2(tmp_path: Path) -> None:
    absent = cuvee("run", "--data", tmp_path / "absent", "--out", tmp_path / "out")
    assert absent.returncode == 2
    assert "absent" in absent.stdout
    typo = cuvee("run", "--data", tmp_path, "--out", tmp_path / "out", "--protocol", "temporl")
    assert typo.returncode == 2
    assert "protocol" in typo.stderr


@pytest.mark.long
def test_a_candidate_worse_than_the_champion_is_refused(run: Path, tmp_path: Path) -> None:
    """All purchases before the test name another product, each always the same: what sells is learned wrongly.

    The candidate comes from the pipeline that is not compiled.
    """
    shop, store = write_small_shop(tmp_path / "shop", households=260, products=500), run / "store"
    events, items = pd.read_parquet(shop / "events.parquet"), pd.read_parquet(shop / "items.parquet")["item_id"]
    early = (events["timestamp"] < events["timestamp"].max() - pd.Timedelta(days=28)).to_numpy()
    other = dict(zip(items, np.random.default_rng(0).permutation(items), strict=True))
    events.loc[early, "item_id"] = events.loc[early, "item_id"].map(other)
    events.drop(columns="price").to_parquet(shop / "events.parquet", index=False)
    before = tree(store)
    done = cuvee("run", "--data", shop, "--out", tmp_path / "out", "--store", store, "--seed", 3)
    assert done.returncode == 3, done.stdout
    assert "champion" in done.stdout
    assert (tmp_path / "out" / "report" / "report.html").exists()
    assert tree(store) == before
