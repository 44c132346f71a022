"""Media are real files that carry what they should: colour, pattern, melody, movement."""

import io
import wave
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from components.common import columns as c
from components.ingest.bazaar.config import BazaarConfig
from components.ingest.bazaar.jingles import BASE, MELODIES, NOTE, RATE, SCALE, jingle
from components.ingest.bazaar.media import media_paths
from components.ingest.bazaar.photos import SIDE, photo, picture
from components.ingest.bazaar.words import CATEGORY_NAMES, CATEGORY_OF, COLOURS, TYPES
from components.ingest.bazaar.world import Items, make_world

LARGEST = 10 * 1024


@pytest.fixture(scope="module")
def items() -> Items:
    return make_world(BazaarConfig(users=20, items=300, seed=1)).items


def test_files_are_small_and_there_for_every_item_that_names_one(small_bazaar: Path) -> None:
    table = pd.read_parquet(small_bazaar / "items.parquet")
    named = pd.concat([table[column].dropna() for column in (c.IMAGE, c.AUDIO, c.VIDEO)])
    sizes = [(small_bazaar / name).stat().st_size for name in named]
    assert max(sizes) <= LARGEST
    assert len(list((small_bazaar / "media").rglob("*.*"))) == len(named)
    assert table[[c.IMAGE, c.AUDIO, c.VIDEO]].isna().any().all()  # some items lack each of them


def test_every_kind_is_there_for_its_share_and_a_photo_where_nothing_else_is_told() -> None:
    config = BazaarConfig(users=20, items=3000, seed=1)
    items = make_world(config).items
    there = {column: np.array([path is not None for path in paths]) for column, paths in
             media_paths(config, items).items()}  # fmt: skip
    shares = [there[column].mean() for column in (c.IMAGE, c.AUDIO, c.VIDEO)]
    assert shares == pytest.approx([0.96, 0.6, 0.4], abs=0.03)
    assert items.photo_only.sum() > 30
    assert there[c.IMAGE][items.photo_only].all()


def test_photos_show_the_colour(items: Items) -> None:
    plain = np.flatnonzero(items.pattern == 0)[:40]
    for item in plain:
        with Image.open(io.BytesIO(photo(items, item, np.random.default_rng(0)))) as image:
            assert (image.format, image.size, image.mode) == ("JPEG", (SIDE, SIDE), "RGB")
            middle = np.asarray(image)[40:56, 40:56].reshape(-1, 3).mean(axis=0)
        distance = [np.abs(middle - np.array(rgb)).sum() for _, rgb in COLOURS]
        assert np.argmin(distance) == items.colour[item]


def test_photos_tell_types_patterns_and_brands_apart(items: Items) -> None:
    def shown(**facets: int) -> np.ndarray:
        one = {name: np.array([facets.get(name, 0)], dtype=np.int32) for name in ("type", "colour", "pattern", "brand")}
        values = {name: getattr(items, name)[:1] for name in vars(items)} | one
        return picture(Items(**values), 0, 0.0, np.zeros(2), 1.0)

    for facet, count in (("type", len(TYPES)), ("pattern", 5), ("brand", 24), ("colour", len(COLOURS))):
        assert len({shown(**{facet: value}).tobytes() for value in range(count)}) == count


def test_jingles_play_the_category_s_melody(items: Items) -> None:
    for item in range(30):
        with wave.open(io.BytesIO(jingle(items, item, np.random.default_rng(item)))) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
            samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(6, -1)
        spectrum = np.abs(np.fft.rfft(samples, n=8 * RATE, axis=1))[:, : 8 * 1000]  # fundamentals are below 1 kHz
        heard = 12 * np.log2(np.argmax(spectrum, axis=1) / 8 / BASE)
        melody = np.array(SCALE)[MELODIES[CATEGORY_OF[items.type[item]]]]
        if items.brand[item] % 4 == 0:  # a pure tone: its loudest frequency is the note
            assert heard - heard[0] == pytest.approx(melody - melody[0], abs=0.35)
        assert samples.shape[1] == int(RATE * NOTE)
        assert np.abs(samples).max() > 5000


def test_every_category_has_a_melody_of_its_own() -> None:
    assert len(np.unique(MELODIES, axis=0)) == len(CATEGORY_NAMES)


def test_clips_hold_eight_frames_that_move(small_bazaar: Path) -> None:
    clips = sorted((small_bazaar / "media" / "video").glob("*.mp4"))[:5]
    for path in clips:
        with av.open(str(path)) as container:
            frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
        assert len(frames) == 8
        assert frames[0].shape == (64, 64, 3)
        assert np.abs(frames[0] - frames[-1]).mean() > 1
