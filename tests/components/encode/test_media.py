"""The encode stage over a shop with media, good and bad."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from media_files import BAD_IMAGES, BLUE, GREEN, RED, drawn, file_of, moving, no_sound, put, tone

from components.common import columns as c
from components.common.errors import ConfigError
from components.encode.files import MISSING
from components.encode.images import ImagesConfig, directions, encode_images
from components.encode.media import MAPS_FILE, MEDIA_FILE, encode_media
from components.encode.networks import AUTO, OWN, PACKAGED, network
from components.encode.onnx_export import Network
from serving.arrays import Floats
from serving.image_encoder import ENCODER_FILE, ImageEncoder
from serving.pictures import picture

COLOURS = {"red": RED, "green": GREEN, "blue": BLUE}


def catalogue(folder: Path, each: int = 6) -> pd.DataFrame:
    """Boxes and discs of three colours in two categories, then an item of every bad photo and one without."""
    files, rows = {}, []
    for number in range(each):
        for shape in ("box", "disc"):
            for name, colour in COLOURS.items():
                key = f"{shape}-{name}-{number}"
                files[f"{key}.png"] = file_of(drawn(colour, shape, shift=number))
                rows.append((key, shape, f"{key}.png"))
    files |= {f"bad {name}.jpg": make() for name, make in BAD_IMAGES.items()}
    rows += [(f"bad {name}", "bad", f"bad {name}.jpg") for name in BAD_IMAGES]
    paths = put(folder, files)
    items = pd.DataFrame(rows, columns=[c.ITEM_ID, c.CATEGORY, c.IMAGE]).assign(**{c.AUDIO: "", c.VIDEO: ""})
    items[c.IMAGE] = items[c.IMAGE].map(paths)
    none = pd.DataFrame([{c.ITEM_ID: "none", c.CATEGORY: "", c.IMAGE: "", c.AUDIO: "", c.VIDEO: ""}])
    return pd.concat([items, none], ignore_index=True)


@pytest.fixture(scope="module")
def packaged() -> Network:
    found = network(PACKAGED, [], np.empty(0, np.int64), 0)
    assert found is not None
    return found


def colour_of(ids: "pd.Series[str]") -> "pd.Series[str]":
    return ids.str.split("-").str[1]


def same_by(vectors: Floats, kinds: "pd.Series[str]") -> float:
    known = np.flatnonzero(~np.isnan(vectors).any(axis=1))
    likeness = vectors[known] @ vectors[known].T
    np.fill_diagonal(likeness, -np.inf)
    values = kinds.to_numpy()[known]
    return float((values[likeness.argmax(axis=1)] == values).mean())


def test_photos_are_placed_by_what_they_show_and_bad_ones_are_counted(
    packaged: Network, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    items = catalogue(tmp_path / "photos")
    found = encode_images(items[c.IMAGE].tolist(), packaged, tmp_path / "out", 0)
    assert found is not None
    bad = np.isnan(found.vectors).any(axis=1)
    assert bad.tolist() == [name.startswith(("bad", "none")) for name in items[c.ITEM_ID]]
    assert np.isnan(found.vectors[bad]).all()
    assert sum(found.passed_over.values()) == len(BAD_IMAGES) + 1
    assert found.passed_over["too many pixels"] == 1
    np.testing.assert_allclose(np.linalg.norm(found.vectors[~bad], axis=1), 1, atol=1e-5)
    assert same_by(found.vectors, colour_of(items[c.ITEM_ID])) == 1
    assert found.maps is not None
    assert found.maps.shape[:3] == (len(items), 4, 4)
    np.testing.assert_array_equal(np.isnan(found.maps).any(axis=(1, 2, 3)), bad)
    places = found.maps[~bad].reshape(-1, found.maps.shape[3]).astype(np.float32)
    np.testing.assert_allclose(places.std(axis=0), 1, atol=0.01)


def test_a_request_s_photo_has_the_vector_of_the_catalogue_s(packaged: Network, tmp_path: Path) -> None:
    items = catalogue(tmp_path / "photos")
    paths = items[c.IMAGE].tolist()
    found = encode_images(paths, packaged, tmp_path / "out", 0)
    assert found is not None
    encoder = ImageEncoder.load(tmp_path / "out")
    asked = encoder.encode_asked([Path(paths[3]).read_bytes(), None])
    np.testing.assert_allclose(asked[0], found.vectors[3], atol=1e-5)
    assert np.isnan(asked[1]).all()


def test_photos_beyond_the_sample_are_encoded_like_those_in_it(
    packaged: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = catalogue(tmp_path / "photos")[c.IMAGE].tolist()
    monkeypatch.setattr("components.encode.images.ImagesConfig", lambda: ImagesConfig(sample=20))
    found = encode_images(paths, packaged, tmp_path / "out", 0)
    assert found is not None
    encoder = ImageEncoder.load(tmp_path / "out")
    assert found.maps is not None
    np.testing.assert_array_equal(np.isnan(found.maps[:, 0, 0, 0]), np.isnan(found.vectors[:, 0]))
    for row, path in enumerate(paths[:36]):
        alone = encoder.encode([picture(Path(path).read_bytes(), packaged.side)])[0]
        np.testing.assert_allclose(found.vectors[row], alone, atol=1e-5)
    assert sum(found.passed_over.values()) == len(BAD_IMAGES) + 1


def test_directions_are_those_of_the_widest_spread() -> None:
    rng = np.random.default_rng(0)
    rows = (rng.standard_normal((500, 3)) * [1.0, 9.0, 3.0]).astype(np.float32)
    mean, found = directions(rows, ImagesConfig(embedding_size=2, power=0.5))
    np.testing.assert_allclose(mean, rows.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(((rows - mean) @ found).std(axis=0), 1, atol=1e-3)  # 0.5: all alike
    assert np.abs(found).argmax(axis=0).tolist() == [1, 2]
    assert (found.max(axis=0) > -found.min(axis=0)).all()  # the sign is fixed


def test_one_photo_is_too_few(packaged: Network, tmp_path: Path) -> None:
    path = put(tmp_path, {"a.png": file_of(drawn(RED))})["a.png"]
    assert encode_images([path, ""], packaged, tmp_path / "out", 0) is None


def test_without_weights_a_network_learns_the_catalogue_s_categories(tmp_path: Path) -> None:
    items = catalogue(tmp_path / "photos", each=10)
    labels = pd.factorize(items[c.CATEGORY])[0].astype(np.int64)
    taught = np.where(np.arange(len(items)) % 3 == 0, -1, labels)
    looks = network(OWN, items[c.IMAGE].tolist(), taught, 0)
    assert looks is not None
    found = encode_images(items[c.IMAGE].tolist(), looks, tmp_path / "out", 0)
    assert found is not None
    assert same_by(found.vectors, items[c.CATEGORY]) > 0.9
    assert found.maps is None
    assert network(OWN, items[c.IMAGE].tolist(), np.zeros(len(items), np.int64), 0) is None  # nothing to tell apart


def test_a_network_may_come_as_a_folder(packaged: Network, tmp_path: Path) -> None:
    encode_images(catalogue(tmp_path / "photos")[c.IMAGE].tolist(), packaged, tmp_path / "mine", 0)
    found = network(str(tmp_path / "mine"), [], np.empty(0, np.int64), 0)
    assert found == packaged
    (tmp_path / "mine" / "model.onnx").write_bytes(b"another")
    with pytest.raises(ConfigError, match="SHA-256"):
        network(str(tmp_path / "mine"), [], np.empty(0, np.int64), 0)
    with pytest.raises(ConfigError, match="own-categories"):
        network("resnet-of-nowhere", [], np.empty(0, np.int64), 0)


def shop_with_everything(folder: Path) -> pd.DataFrame:
    items = catalogue(folder / "photos", each=2)
    sounds = put(folder, {f"{name}.wav": tone(300.0 + 200 * name) for name in range(6)} | {"none.wav": no_sound()})
    clips = put(folder, {f"{name}.mp4": moving(RED, [0, 4 * name, 8 * name]) for name in range(5)})
    items.loc[: len(sounds) - 1, c.AUDIO] = list(sounds.values())
    items.loc[3 : 2 + len(clips), c.VIDEO] = list(clips.values())
    os.symlink(clips["0.mp4"], folder / "link.mp4")
    items.loc[9, c.VIDEO] = str(folder / "link.mp4")
    return items


def test_every_kind_of_media_is_written_with_what_could_be_read(tmp_path: Path) -> None:
    items = shop_with_everything(tmp_path / "media")
    (tmp_path / "out").mkdir()
    said = encode_media(items, AUTO, tmp_path / "out", 0)
    assert json.loads((tmp_path / "out" / MEDIA_FILE).read_text()) == said
    assert {kind: facts["read"] for kind, facts in said.items()} == {"image": 12, "audio": 6, "video": 5}
    assert said["video"]["passed_over"] == {MISSING: len(items) - 6, "missing, or a link": 1}
    assert said["image"]["encoder"].startswith("mobilenet-v2 ")
    for kind in said:
        vectors = np.load(tmp_path / "out" / f"{kind}.npy", allow_pickle=False)
        assert (vectors.dtype, len(vectors)) == (np.float32, len(items))
        assert int((~np.isnan(vectors[:, 0])).sum()) == said[kind]["read"]
    maps = np.load(tmp_path / "out" / MAPS_FILE, allow_pickle=False)
    assert (maps.dtype, int((~np.isnan(maps[:, 0, 0, 0])).sum())) == (np.float16, said["image"]["read"])
    spec = json.loads((tmp_path / "out" / "image_encoder" / ENCODER_FILE).read_text())
    assert said["image"]["encoder"] == f"{spec['name']} {spec['version']}"


def test_the_same_media_give_the_same_bytes(tmp_path: Path) -> None:
    items = shop_with_everything(tmp_path / "media")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        encode_media(items, OWN, tmp_path / name, 3)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(files) == 8
    for path in files:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes(), path


def test_a_shop_without_media_pays_nothing(tmp_path: Path) -> None:
    items = pd.DataFrame({c.ITEM_ID: ["a"], c.CATEGORY: ["x"], c.IMAGE: [""]})
    assert encode_media(items, "resnet-of-nowhere", tmp_path / "none", 0) == {}
    assert not (tmp_path / "none").exists()
