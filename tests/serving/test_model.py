"""The model, the release it answers from, and how it moves to another."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest
from kserve import InferInput, InferRequest, InferResponse
from small_release import small_release

from components.common.errors import ReleaseError
from components.common.files import read_json, write_json
from components.common.identity import id_key, pseudonym
from components.deploy.publish import add, champion, promote, publish
from serving import lean
from serving.current import POINTER, RELEASES
from serving.deadline import Split
from serving.follower import Follower
from serving.instances import RequestError, parse
from serving.live import Live
from serving.model import CuveeModel
from serving.release import MANIFEST_FILE, Facts, write_manifest


@pytest.fixture(scope="session")
def other_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same shop, another blend: another digest."""
    return small_release(tmp_path_factory.mktemp("other"), lead=2.0)


@pytest.fixture
def own_store(tmp_path: Path, release: Path) -> Path:
    """A store of the test's own, without features."""
    publish(release, tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture
def model(own_store: Path, release: Path) -> CuveeModel:
    return CuveeModel(Live.load(release, own_store, "release"), id_key(own_store), Split(30.0))


def predict(model: CuveeModel, payload: Any) -> Any:
    return asyncio.run(model.predict(payload, {}))


def tensor(
    data: list[Any], shape: list[int] | None = None, name: str = "instances", kind: str = "BYTES"
) -> InferRequest:
    return InferRequest("cuvee", [InferInput(name, shape or [len(data)], kind, data)], request_id="42")


def strip(prediction: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in prediction.items() if name != "request_id"}


def test_v1_and_v2_give_the_same_answers(model: CuveeModel) -> None:
    asked = [
        {"scenario": "search", "query": "coffee", "k": 3},
        {"scenario": "similar", "item_id": "i00", "explain": True},
        {"scenario": "recommend", "k": 2},
    ]
    first = predict(model, {"instances": asked})["predictions"]
    answer = predict(model, tensor([json.dumps(one) for one in asked]))
    assert isinstance(answer, InferResponse)
    output = answer.to_rest()[0]["outputs"][0]
    assert (output["name"], output["datatype"], output["shape"]) == ("predictions", "BYTES", [3])
    assert [strip(json.loads(text)) for text in output["data"]] == [strip(one) for one in first]
    assert [len(one["items"]) for one in first] == [3, 10, 2]


def test_requests_that_wait_together_get_what_each_gets_alone(model: CuveeModel) -> None:
    kinds: list[dict[str, Any]] = [{"scenario": "recommend", "user_id": f"u{n}", "k": 1 + n} for n in range(9)]
    kinds += [{"scenario": "similar", "item_id": f"i{n:02}", "explain": True} for n in range(9)]
    kinds += [{"scenario": "search", "query": word} for word in ("coffee", "violin", "nothing of the kind")]
    kinds += [{"scenario": "recommend", "weights": {"popularity": 0.5}}, {"scenario": "ads"}]
    alone = [answered(model, one) for one in kinds]

    async def at_once() -> list[Any]:
        asked = (model.predict({"instances": [one]}, {}) for one in kinds)
        return list(await asyncio.gather(*asked, return_exceptions=True))

    for one, other in zip(alone, asyncio.run(at_once()), strict=True):
        if isinstance(one, RequestError):
            assert str(other) == str(one)
            continue
        found, expected = (strip(answer["predictions"][0]) for answer in (other, one))
        assert [item["item_id"] for item in found["items"]] == [item["item_id"] for item in expected["items"]]
        scores = [item["score"] for item in expected["items"]]
        assert [item["score"] for item in found["items"]] == pytest.approx(scores, abs=1e-6)
        assert {**found, "items": []} == {**expected, "items": []}


def answered(model: CuveeModel, instance: dict[str, Any]) -> Any:
    try:
        return predict(model, {"instances": [instance]})
    except RequestError as error:
        return error


def test_search_finds_the_words_and_similar_the_group(model: CuveeModel) -> None:
    asked = [{"scenario": "search", "query": "violin", "k": 5}, {"scenario": "similar", "item_id": "i00", "k": 4}]
    found = predict(model, {"instances": asked})["predictions"]
    assert {item["item_id"] for item in found[0]["items"]} == {"i02", "i05", "i08", "i11", "i14"}
    assert {item["item_id"] for item in found[1]["items"]} == {"i03", "i06", "i09", "i12"}


@pytest.mark.parametrize(
    "payload",
    [
        *(b"\x00", [], "x", 5, None, {}, {"instances": None}, {"instances": [], "parameters": {}}),
        {"instances": [5]},
        {"instances": [{"scenario": "recommend", "weights": {"no_such_member": 1.0}}]},
    ],
)
def test_a_wrong_body_is_a_request_error(model: CuveeModel, payload: Any) -> None:
    with pytest.raises(RequestError):
        predict(model, payload)


@pytest.mark.parametrize(
    "request_",
    [
        tensor([]),
        tensor(["{"]),
        tensor([5]),
        tensor(['{"scenario": "recommend"}'], [2]),
        tensor(['{"scenario": "recommend"}'], [1, 1]),
        tensor(['{"scenario": "recommend"}'], name="inputs"),
        tensor(['{"scenario": "recommend"}'], kind="INT32"),
        InferRequest("cuvee", []),
    ],
)
def test_a_wrong_tensor_is_a_request_error(model: CuveeModel, request_: InferRequest) -> None:
    with pytest.raises(RequestError):
        predict(model, request_)


def test_weights_of_the_request_change_the_contributions(model: CuveeModel) -> None:
    asked = {"scenario": "similar", "item_id": "i00", "explain": True, "k": 1}
    plain, scaled = predict(model, {"instances": [asked, asked | {"weights": {"item_knn": 0.5}}]})["predictions"]
    assert scaled["items"][0]["why"]["item_knn"] == pytest.approx(plain["items"][0]["why"]["item_knn"] / 2, rel=1e-5)


def test_a_user_is_known_by_the_pseudonym_only(store: Path) -> None:
    published = champion(store)
    assert published is not None
    live = Live.load(published, store, "release")
    asked = {"scenario": "recommend", "user_id": "u07", "k": 5, "context": {"new_only": False}}
    known = predict(CuveeModel(live, id_key(store), Split(30.0)), {"instances": [asked]})["predictions"][0]
    assert {int(item["item_id"][1:]) % 3 for item in known["items"]} == {7 % 3}  # the planted group of user 7
    assert len(live.features.states([pseudonym("u07", id_key(store))], 0).items) == 5
    assert len(live.features.states(["u07"], 0).items) == 0
    assert live.answer([parse(asked)])[0]["degraded"] == []


def test_without_features_a_user_gets_the_anonymous_answer_and_is_told(model: CuveeModel) -> None:
    known, stranger = predict(
        model, {"instances": [{"scenario": "recommend", "user_id": "u07"}, {"scenario": "recommend"}]}
    )["predictions"]
    assert known["degraded"] == ["features"]
    assert known["items"] == stranger["items"] != []


def test_broken_features_degrade_and_heal_within_seconds(store: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(store, tmp_path / "store")
    online = copy / "online.db"
    (copy / "feature_store.yaml").rename(copy / "away")
    published = champion(copy)
    assert published is not None
    live = Live.load(published, copy, "release")
    asked = parse({"scenario": "recommend", "user_id": "u07"})
    assert live.answer([asked])[0]["degraded"] == ["features"]
    (copy / "away").rename(copy / "feature_store.yaml")
    live.features._retry_at = 0.0
    assert live.answer([asked])[0]["degraded"] == []
    online.write_bytes(b"garbage" * 1000)
    answer = live.answer([asked])[0]
    assert answer["degraded"] == ["features"]
    assert answer["items"]


def test_without_its_online_file_a_store_costs_the_features_only(store: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(store, tmp_path / "store")
    (copy / "online.db").unlink()
    published = champion(copy)
    assert published is not None
    answer = Live.load(published, copy, "release").answer([parse({"scenario": "recommend", "user_id": "u07"})])[0]
    assert answer["degraded"] == ["features"]
    assert answer["items"]


def test_the_clock_is_the_release_s_or_the_wall_s_or_fixed(own_store: Path, release: Path) -> None:
    asked = [parse({"scenario": "recommend"})]
    assert read_json(release / MANIFEST_FILE)["as_of"] == Live.load(release, own_store, "release").as_of
    assert Live.load(release, own_store, 0).answer(asked)[0]["as_of"] == "1970-01-01T00:00:00+00:00"
    assert Live.load(release, own_store, "now").answer(asked)[0]["as_of"] > "2026"


def test_a_changed_byte_is_refused_before_anything_is_loaded(release: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(release, tmp_path / "copy")
    content = bytearray((copy / "catalogue.parquet").read_bytes())
    content[100] ^= 1
    (copy / "catalogue.parquet").write_bytes(content)
    with pytest.raises(ReleaseError, match=r"catalogue\.parquet"):
        Live.load(copy, tmp_path, "release")


def test_a_vouched_for_release_that_cannot_answer_is_refused(release: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(release, tmp_path / "copy")
    smoke = read_json(copy / "smoke.json")
    write_json(copy / "smoke.json", smoke | {"answers": [99, *smoke["answers"][1:]]})
    manifest = read_json(copy / MANIFEST_FILE)
    write_manifest(copy, Facts(**{name: manifest[name] for name in Facts.model_fields}))
    with pytest.raises(ReleaseError, match="expected \\[99"):
        Live.load(copy, tmp_path, "release")
    write_json(copy / "smoke.json", {"instances": [], "answers": []})
    write_manifest(copy, Facts(**{name: manifest[name] for name in Facts.model_fields}))
    with pytest.raises(ReleaseError, match="cannot answer"):
        Live.load(copy, tmp_path, "release")


def test_a_release_under_another_s_name_is_refused(release: Path, own_store: Path) -> None:
    impostor = own_store / RELEASES / ("0" * 64)
    shutil.copytree(release, impostor)
    with pytest.raises(ReleaseError, match="holds release"):
        Live.load(impostor, own_store, "release")


class TestFollower:
    @pytest.fixture
    def served(self) -> list[Live]:
        return []

    @pytest.fixture
    def follower(self, own_store: Path, served: list[Live]) -> Follower:
        published = champion(own_store)
        assert published is not None
        return Follower(own_store, Live.load(published, own_store, "release"), served.append)

    def test_nothing_new_changes_nothing(self, follower: Follower, served: list[Live]) -> None:
        follower.look()
        assert served == []

    def test_a_new_release_is_loaded_once(
        self, follower: Follower, served: list[Live], own_store: Path, other_release: Path
    ) -> None:
        digest = publish(other_release, own_store)
        follower.look()
        follower.look()
        assert [live.digest for live in served] == [digest]

    def test_what_a_new_release_replaced_is_freed_by_the_next_look_and_once(
        self, follower: Follower, own_store: Path, other_release: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settled: list[str] = []
        monkeypatch.setattr(lean, "settle", lambda: settled.append(follower._live.digest))
        follower.look()
        digest = publish(other_release, own_store)
        follower.look()
        assert settled == []  # what is under way may still be answered by the other
        follower.look()
        follower.look()
        assert settled == [digest]

    def test_a_damaged_one_is_refused_and_taken_once_it_is_whole(
        self, follower: Follower, served: list[Live], own_store: Path, other_release: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:  # fmt: skip
        first, digest = follower._live.digest, add(other_release, own_store)
        damaged = own_store / RELEASES / digest / "shop.json"
        damaged.write_text("{}")
        (own_store / POINTER).write_text(digest + "\n")
        for _ in range(3):
            follower.look()
        assert [(live.digest, live.refused, live.engine.degraded) for live in served] == [(first, digest, ("release",))]
        assert sum("keeping release" in record.message for record in caplog.records) == 1
        publish(other_release, own_store)
        follower.look()
        assert [(live.digest, live.refused, live.engine.degraded) for live in served[1:]] == [(digest, "", ())]

    @pytest.mark.parametrize("pointer", ["", "no digest", "../../etc", "A" * 64])
    def test_a_pointer_that_is_no_digest_changes_no_answer(
        self, follower: Follower, served: list[Live], own_store: Path, pointer: str
    ) -> None:
        first = follower._live.digest
        (own_store / POINTER).write_text(pointer)
        for _ in range(3):
            follower.look()
        assert [(live.digest, live.refused) for live in served] == [(first, "unreadable")]
        promote(own_store, first)
        for _ in range(3):
            follower.look()
        assert [(live.digest, live.refused, live.engine.degraded) for live in served[1:]] == [(first, "", ())]

    def test_it_looks_by_itself(self, own_store: Path, served: list[Live], release: Path, other_release: Path) -> None:
        follower = Follower(own_store, Live.load(release, own_store, "release"), served.append, period_s=0.01)
        follower.start()
        digest = publish(other_release, own_store)
        follower.join(0.01)
        for _ in range(500):
            if served:
                break
            follower.join(0.02)
        follower.stop()
        follower.join()
        assert [live.digest for live in served] == [digest]


def test_answers_hold_no_numbers_that_json_lacks(model: CuveeModel) -> None:
    prediction = predict(model, {"instances": [{"scenario": "bundle", "item_ids": ["i00", "i03"], "explain": True}]})
    assert json.loads(orjson.dumps(prediction)) == prediction


def test_a_scenario_the_release_has_no_blend_for_is_a_request_error(tmp_path: Path) -> None:
    live = Live.load(small_release(tmp_path, tasks=("search", "similar")), tmp_path, "now")
    assert live.answer([parse({"scenario": "search", "query": "coffee"})])[0]["items"]
    for asked in ({"scenario": "recommend"}, {"scenario": "bundle", "item_ids": ["i00"]}):
        with pytest.raises(RequestError, match="not served by this release"):
            live.answer([parse(asked)])


def test_an_unknown_item_is_said(model: CuveeModel) -> None:
    prediction = predict(model, {"instances": [{"scenario": "similar", "item_id": "no such item"}]})["predictions"][0]
    assert prediction["degraded"] == ["unknown_item"]
