"""From a folder with photos to answers: the stages make a release that is asked by item, by photo and by words."""

import base64
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from media_files import BAD_IMAGES, BLUE, GREEN, RED, drawn, file_of, put

from components.common import columns as c
from components.encode.run import encode
from components.fuse.run import fuse
from components.ingest.run import ingest
from components.package.run import package
from components.prepare.run import prepare
from components.train_text.run import train_text
from serving.engine import Engine
from serving.instances import RequestError, parse_all

COLOURS = {"red": RED, "green": GREEN, "blue": BLUE}


def write_shop(folder: Path) -> Path:
    """Eight items of each colour, whose titles say nothing; one without a photo, one whose photo is damaged."""
    files = {f"{name}{n}.png": file_of(drawn(rgb, shift=n)) for name, rgb in COLOURS.items() for n in range(8)}
    put(folder / "photos", files | {"cut.jpg": BAD_IMAGES["cut"]()})
    rows = [(Path(name).stem, f"photos/{name}") for name in files] + [("blind", None), ("cut", "photos/cut.jpg")]
    items = pd.DataFrame(rows, columns=[c.ITEM_ID, c.IMAGE]).assign(title=lambda rows: "article " + rows[c.ITEM_ID])
    items.to_parquet(folder / "items.parquet", index=False)
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("photos")
    ingest(str(write_shop(work / "shop")), None, str(work / "store"), work / "tables")
    prepare(work / "tables", work / "prepared", "temporal", "fast", 0)
    encode(work / "prepared", "minilm-int8", work / "embeddings", "own-categories")
    assert not (work / "embeddings" / "image.npy").exists()  # no category to learn from: no photos, and no failure
    encode(work / "prepared", "minilm-int8", work / "embeddings")
    train_text(work / "prepared", work / "embeddings", work / "text", "fast", 0)
    fuse(work / "prepared", work / "embeddings", work / "features", [work / "text"], work / "fusion", "fast", 0)
    package(work / "prepared", work / "embeddings", work / "fusion", [work / "text"], work / "release")
    return work


@pytest.fixture(scope="module")
def engine(work: Path) -> Engine:
    return Engine.load(work / "release")


def photo(name: str) -> str:
    return base64.b64encode(file_of(drawn(COLOURS[name], shift=3), "JPEG")).decode()


def ask(engine: Engine, *instances: dict[str, Any]) -> list[dict[str, Any]]:
    return engine.answer(parse_all([{"k": 7, "explain": True} | instance for instance in instances]), None, 0)


def colours(answer: dict[str, Any]) -> set[str]:
    return {item["item_id"].rstrip("0123456789") for item in answer["items"]}


def test_what_looks_alike_is_similar(engine: Engine) -> None:
    only_photos = {"text": 0.0, "tfidf": 0.0, "attributes": 0.0}
    for name in COLOURS:
        answer = ask(engine, {"scenario": "similar", "item_id": f"{name}4", "weights": only_photos})[0]
        assert colours(answer) == {name}
        assert f"{name}4" not in {item["item_id"] for item in answer["items"]}
        assert all(item["why"]["image"] > 0 for item in answer["items"])


@pytest.mark.parametrize("scenario", ["similar", "search"])
def test_a_photo_is_an_anchor(engine: Engine, scenario: str) -> None:
    for name, answer in zip(
        COLOURS,
        ask(engine, *({"scenario": scenario, "image_b64": photo(name), "k": 1} for name in COLOURS)),
        strict=True,
    ):
        assert colours(answer) == {name}
        assert answer["degraded"] == []
        assert answer["relaxed"] == []


def test_the_photo_of_an_item_finds_it_first(engine: Engine, work: Path) -> None:
    for item in ("red0", "green7", "blue5"):
        content = (work / "shop" / "photos" / f"{item}.png").read_bytes()
        asked = {"scenario": "similar", "image_b64": base64.b64encode(content).decode()}
        assert ask(engine, asked)[0]["items"][0]["item_id"] == item


def test_questions_with_and_without_a_photo_share_a_request(engine: Engine) -> None:
    asked: list[dict[str, Any]] = [
        {"scenario": "similar", "item_id": "red1"},
        {"scenario": "similar", "image_b64": photo("blue")},
        {"scenario": "search", "query": "article green2"},
        {"scenario": "search", "query": "article green2", "image_b64": photo("green")},
    ]
    together = ask(engine, *asked)
    for question, answer in zip(asked, together, strict=True):
        alone = ask(engine, question)[0]
        assert [item["item_id"] for item in alone["items"]] == [item["item_id"] for item in answer["items"]]
    assert together[2]["items"][0]["item_id"] == together[3]["items"][0]["item_id"] == "green2"


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_a_bad_photo_is_refused_by_name(engine: Engine, name: str) -> None:
    content = base64.b64encode(BAD_IMAGES[name]()).decode()
    with pytest.raises(RequestError, match="'image_b64'"):
        ask(engine, {"scenario": "similar", "image_b64": content})


def test_items_without_a_photo_are_still_found_by_their_title(engine: Engine) -> None:
    answer = ask(engine, {"scenario": "similar", "item_id": "blind", "k": 30})[0]
    assert answer["items"]
    assert all("image" not in item["why"] for item in answer["items"])
    assert {"blind", "cut"} <= {
        item["item_id"] for item in ask(engine, {"scenario": "search", "query": "article", "k": 30})[0]["items"]
    }


def test_a_release_that_cannot_look_says_so(engine: Engine) -> None:
    blind = Engine(engine.catalogue, engine.shop, engine.members, engine.fusion, engine.encoder)
    answer = ask(blind, {"scenario": "search", "query": "article red1", "image_b64": photo("red")})[0]
    assert answer["degraded"] == ["image"]
    assert answer["items"]


def test_the_release_vouches_for_the_image_encoder(engine: Engine) -> None:
    assert engine.manifest is not None
    assert {f"image_encoder/{name}" for name in ("model.onnx", "mean.npy", "projection.npy", "encoder.json")} <= set(
        engine.manifest.files
    )
    assert "image" in engine.manifest.members
