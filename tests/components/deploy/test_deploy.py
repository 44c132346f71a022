"""A release serves only after it has answered."""

import http.server
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.common.errors import CuveeError
from components.common.files import read_json, write_json
from components.deploy import trial
from components.deploy.publish import champion
from components.deploy.run import deploy
from serving.release import MANIFEST_FILE, Facts, verify, write_manifest


def resealed(release: Path, copy: Path, change: Callable[[Path], None]) -> Path:
    """A changed copy of *release* whose manifest vouches for the change."""
    shutil.copytree(release, copy)
    change(copy)
    manifest = read_json(copy / MANIFEST_FILE)
    write_manifest(copy, Facts(**{name: manifest[name] for name in Facts.model_fields}))
    return copy


@pytest.fixture
def own_store(store: Path, tmp_path: Path) -> Path:
    return shutil.copytree(store, tmp_path / "store")


def test_a_release_that_answers_becomes_current(other_release: Path, own_store: Path, tmp_path: Path) -> None:
    before = champion(own_store)
    deployment = deploy(other_release, own_store, tmp_path / "out")
    after = champion(own_store)
    assert before is not None
    assert after is not None
    assert deployment["previous"] == before.name != after.name == deployment["release"] == verify(other_release).release
    asked = {(call["protocol"], call["scenario"]) for call in deployment["calls"]}
    assert asked >= {("v1", name) for name in ("recommend", "search", "similar", "bundle")}
    assert {protocol for protocol, _ in asked} == {"v1", "v2"}
    assert read_json(tmp_path / "out" / "deployment.json") == deployment
    answers = read_json(tmp_path / "out" / "answer.json")
    assert all(answer["prediction"]["release"] == after.name for answer in answers)
    assert all(answer["prediction"]["degraded"] == [] for answer in answers)
    service = yaml.safe_load((tmp_path / "out" / "inference_service.yaml").read_text())
    assert service["metadata"]["annotations"]["cuvee.dev/release"] == after.name


def test_without_the_features_it_was_trained_with_it_does_not(
    other_release: Path, own_store: Path, tmp_path: Path
) -> None:
    before = champion(own_store)
    (own_store / "online.db").write_bytes(b"garbage" * 1000)
    with pytest.raises(CuveeError, match="without features"):
        deploy(other_release, own_store, tmp_path / "out")
    assert champion(own_store) == before


def test_a_release_that_cannot_keep_its_word_does_not(other_release: Path, own_store: Path, tmp_path: Path) -> None:
    before = champion(own_store)

    def promise_more(copy: Path) -> None:
        smoke = read_json(copy / "smoke.json")
        write_json(copy / "smoke.json", smoke | {"answers": [99, *smoke["answers"][1:]]})

    broken = resealed(other_release, tmp_path / "broken", promise_more)
    with pytest.raises(CuveeError, match="smoke requests gave"):
        deploy(broken, own_store, tmp_path / "out")
    assert champion(own_store) == before
    assert not (tmp_path / "out" / "deployment.json").exists()


def test_a_damaged_release_does_not_even_start(other_release: Path, own_store: Path, tmp_path: Path) -> None:
    before = champion(own_store)
    damaged = shutil.copytree(other_release, tmp_path / "damaged")
    (damaged / "fusion.json").write_text("{}")
    with pytest.raises(CuveeError, match=r"fusion\.json"):
        deploy(damaged, own_store, tmp_path / "out")
    assert champion(own_store) == before


def test_the_component_runs_in_the_local_runner(other_release: Path, own_store: Path, tmp_path: Path) -> None:
    from kfp import dsl, local

    from components.deploy.component import deploy as component

    def only_deploy(uri: str, store: str) -> str:
        release = dsl.importer(artifact_uri=uri, artifact_class=dsl.Model)
        digest: str = component(release=release.output, store=store).outputs["Output"]
        return digest

    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "root"))
    task = dsl.pipeline(name="only-deploy")(only_deploy)(uri=str(other_release), store=str(own_store))
    published = champion(own_store)
    assert published is not None
    assert task.outputs["Output"] == published.name == verify(other_release).release


ITEM = {"item_id": "a", "position": 1, "score": 0.5, "why": {"x": 0.25, "y": 0.25}}
SOUND = {"items": [ITEM], "release": "d", "degraded": []}


def test_a_sound_answer_passes() -> None:
    trial.check(SOUND, {"scenario": "recommend", "k": 1}, "d")


@pytest.mark.parametrize(
    "wrong",
    [
        SOUND | {"release": "other"},
        SOUND | {"items": []},
        SOUND | {"items": None},
        SOUND | {"items": [ITEM, ITEM | {"position": 2}]},
        SOUND | {"items": [ITEM | {"position": 2}]},
        SOUND | {"items": [ITEM | {"item_id": 5}]},
        SOUND | {"items": [ITEM | {"score": float("nan")}]},
        SOUND | {"items": [ITEM | {"score": None}]},
        SOUND | {"items": [ITEM | {"score": 0.6}]},
        SOUND | {"items": [{**ITEM, "why": None}]},
        SOUND | {"items": ["a"]},
    ],
)
def test_a_malformed_answer_does_not(wrong: dict[str, Any]) -> None:
    with pytest.raises(CuveeError, match="recommend"):
        trial.check(wrong, {"scenario": "recommend", "k": 2}, "d")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"{}"),
        (200, b"no json"),
        (200, b"[]"),
        (200, b'{"predictions": []}'),
        (200, b'{"outputs": [{"data": [5]}]}'),
    ],
)
def test_an_answer_of_another_shape_is_an_error(status: int, body: bytes) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        for ask in (trial.ask_v1, trial.ask_v2):
            with pytest.raises(CuveeError):
                ask(url, {"scenario": "recommend"})
        server.shutdown()


def test_nobody_there_is_an_error() -> None:
    with pytest.raises(CuveeError, match="did not answer"):
        trial.post("http://127.0.0.1:1/", json.loads("{}"))
