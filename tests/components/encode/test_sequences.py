"""Readers find what only the order of the steps tells; without categories, what all steps show together is left."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from media_files import no_sound, put, tone

from components.encode.clips import BANDS
from components.encode.recurrent import FrameReader, RecurrentConfig, SoundReader, read, train_reader
from components.encode.sequences import FEWEST, Kind, encode_sequences, sounds
from serving.arrays import Floats, Longs

CONFIG = RecurrentConfig(epochs=25)


def ordered(n: int, steps: int, width: int, seed: int) -> tuple[Floats, Longs]:
    """Sequences that rise or fall: the same steps in another order; the last may lack some."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    slope = np.linspace(-1, 1, steps)[None, :, None] * rng.uniform(0.5, 1.5, (n, 1, width))
    sequences = np.where(labels[:, None, None] == 0, slope, -slope) + rng.normal(0, 0.1, (n, steps, width))
    return sequences.astype(np.float32), labels.astype(np.int64)


@pytest.mark.parametrize("make", [partial(FrameReader, 6), partial(SoundReader, 8)], ids=["frames", "sound"])
def test_a_reader_tells_orders_apart_that_have_the_same_steps(make: Callable[[int], SoundReader | FrameReader]) -> None:
    width = 6 if make.func is FrameReader else 8  # type: ignore[attr-defined]
    taught, labels = ordered(80, 12, width, seed=0)
    reader = train_reader(make, taught, labels, 0, CONFIG)
    fresh, truth = ordered(40, 12, width, seed=1)
    vectors = read(reader, fresh)
    nearest = (vectors @ read(reader, taught).T).argmax(axis=1)
    assert (labels[nearest] == truth).mean() > 0.9


def test_steps_that_are_not_there_say_nothing() -> None:
    reader = train_reader(partial(FrameReader, 4), *ordered(20, 6, 4, 0), 0, RecurrentConfig(epochs=1))
    short = ordered(3, 4, 4, 1)[0]
    padded = np.full((3, 9, 4), np.nan, np.float32)
    padded[:, :4] = short
    np.testing.assert_allclose(read(reader, padded), read(reader, short), atol=1e-6)


def test_training_again_is_bit_identical() -> None:
    first, second = (
        read(train_reader(partial(SoundReader, 8), *ordered(24, 8, 8, 0), 3, RecurrentConfig(epochs=2)), data)
        for data in [ordered(5, 8, 8, 2)[0]] * 2
    )
    np.testing.assert_array_equal(first, second)


@pytest.fixture(scope="module")
def melodies(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Longs]:
    """Two melodies of the same notes, in keys of their own, twelve times each."""
    files = {}
    for row in range(24):
        key = 2 ** (row % 5 / 12)
        notes = [400.0, 600.0, 900.0] if row % 2 == 0 else [900.0, 600.0, 400.0]
        files[f"{row:02d}.wav"] = tone(*(key * note for note in notes))
    paths = put(tmp_path_factory.mktemp("melodies"), files)
    return [paths[name] for name in sorted(paths)], np.arange(24, dtype=np.int64) % 2


def test_melodies_are_told_apart_by_their_order(melodies: tuple[list[str], Longs], tmp_path: Path) -> None:
    paths, labels = melodies
    bad = put(tmp_path, {"none.wav": no_sound(), "text.wav": b"words"})
    held_out = labels.copy()
    held_out[20:] = -1  # whose melody nobody names
    found = encode_sequences([*paths, *bad.values(), ""], np.append(held_out, [0, 1, -1]), sounds(), 0)
    assert found is not None
    known, version = found
    assert np.isnan(known.vectors).any(axis=1).tolist() == [False] * 24 + [True] * 3
    np.testing.assert_allclose(np.linalg.norm(known.vectors[:24], axis=1), 1, atol=1e-5)
    assert known.passed_over == {"too short": 1, "damaged or cut short": 1, "no file named": 1}
    assert version.startswith("log-mel ")
    likeness = known.vectors[20:24] @ known.vectors[:20].T
    assert (labels[likeness.argmax(axis=1)] == labels[20:24]).all()


def test_without_categories_what_the_steps_are_together_is_left(melodies: tuple[list[str], Longs]) -> None:
    paths, _ = melodies
    found = encode_sequences(paths, np.full(24, -1), sounds(), 0)
    assert found is not None
    assert found[0].vectors.shape == (24, 2 * BANDS)  # means and spreads; nothing has learned an order
    assert np.isfinite(found[0].vectors).all()


def test_another_training_is_another_version(melodies: tuple[list[str], Longs]) -> None:
    paths, labels = melodies
    versions = {encode_sequences(paths, given, sounds(), 0)[1] for given in (labels, labels, 1 - labels // 2)}  # type: ignore[index]
    assert len(versions) == 2


def test_of_too_few_files_nothing_is_learned(melodies: tuple[list[str], Longs]) -> None:
    paths, labels = melodies
    assert encode_sequences([*paths[: FEWEST - 1], "", "gone.wav"], labels[: FEWEST + 1], sounds(), 0) is None


def test_files_are_read_in_pieces_with_the_same_vectors(
    melodies: tuple[list[str], Longs], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, labels = melodies
    whole = encode_sequences(paths, labels, sounds(), 0)
    monkeypatch.setattr("components.encode.sequences.PIECE", 5)
    pieces = encode_sequences(paths, labels, sounds(), 0)
    assert whole is not None
    assert pieces is not None
    np.testing.assert_allclose(whole[0].vectors, pieces[0].vectors, atol=1e-5)
    assert isinstance(sounds(), Kind)
