"""Jingles: the category's melody in the brand's timbre, as a short WAV file."""

import io
import wave

import numpy as np
import numpy.typing as npt

from components.ingest.bazaar.words import CATEGORY_NAMES, CATEGORY_OF
from components.ingest.bazaar.world import BRANDS_EACH, Items

RATE, NOTE, NOTES = 8000, 0.1, 6  # Hz, seconds, notes: 0.6 s are 9.6 kB
SCALE = (0, 2, 4, 7, 9, 12)  # semitones of a pentatonic scale
BASE = 330.0  # Hz
TIMBRES = ((1.0, 0.0, 0.0), (1.0, 0.6, 0.0), (1.0, 0.0, 0.6), (0.6, 0.5, 0.5))  # strength of the first harmonics
LOUD = 20_000


def melodies() -> npt.NDArray[np.int64]:
    """(categories, notes) place of each note in the scale; no two categories share a melody."""
    rng = np.random.default_rng(2024)  # part of the vocabulary: the same in every bazaar
    found: dict[tuple[int, ...], None] = {}
    while len(found) < len(CATEGORY_NAMES):
        found[tuple(rng.integers(len(SCALE), size=NOTES).tolist())] = None
    return np.array(list(found))


MELODIES = melodies()


def jingle(items: Items, item: int, rng: np.random.Generator) -> bytes:
    """The WAV file of one item, 8 kHz mono; *rng* chooses its key and loudness."""
    key = BASE * 2 ** (rng.integers(-2, 3) / 12)
    pitch = key * 2 ** (np.array(SCALE)[MELODIES[CATEGORY_OF[items.type[item]]]] / 12)
    length = int(RATE * NOTE)
    time = np.arange(length) / RATE
    fade = np.minimum(1, np.minimum(time, time[::-1]) / 0.01)
    strengths = TIMBRES[items.brand[item] % BRANDS_EACH]
    tone = sum(s * np.sin(2 * np.pi * (h + 1) * pitch[:, None] * time) for h, s in enumerate(strengths))
    sound = (tone * fade).ravel() / sum(strengths) * LOUD * rng.uniform(0.6, 1.0)
    return wav(np.round(sound).astype("<i2"))


def wav(samples: npt.NDArray[np.int16]) -> bytes:
    """(n,) 16-bit samples as a mono WAV file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return out.getvalue()
