"""Photos to vectors: what a network sees, reduced to what tells this catalogue's photos apart."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from onnxruntime import InferenceSession
from scipy.linalg import eigh

from components.common.config import Config
from components.common.files import sha256, write_json
from components.encode.files import Progress, Read, content_of, read_all
from components.encode.onnx_export import MAPS, Network
from serving.arrays import Floats, Longs
from serving.image_encoder import (
    ENCODER_FILE,
    FILES,
    MEAN_FILE,
    MODEL_FILE,
    PROJECTION_FILE,
    ImageEncoder,
    ImageEncoderSpec,
)
from serving.onnx import session
from serving.pictures import Pixels, picture

Halves = npt.NDArray[np.float16]
MOST_BYTES = 32 << 20
FEWEST = 2  # photos: of one, nothing says what is particular


class ImagesConfig(Config):
    """How many directions are kept, and what they are learned from."""

    embedding_size: int = 512
    power: float = 0.25  # directions are divided by their variance to this power: 0 leaves them, 0.5 makes all alike
    sample: int = 10_000  # photos from which the directions are learned
    channels: int = 32  # kept of the maps, each of variance one


@dataclass
class Looked(Read):
    """maps: (n, h, w, c) float16, where in each photo what is seen; NaN without one. None: the network gives none."""

    maps: Halves | None = None


def encode_images(
    paths: Sequence[str], network: Network, out: Path, seed: int, progress: Progress | None = None
) -> Looked | None:
    """Write the encoder of this catalogue to *out* and encode all its photos, looking at each once.

    Args:
        paths: n files, '' where an item has no photo.
        network: what looks at the pictures.
        out: the encoder's folder.
        seed: draws the sample.
        progress: told (photos done, photos to do), of the sample first, then of the others.

    Returns:
        (n, dims) rows of length one, NaN for items without a usable photo; None where there are fewer than FEWEST.
    """
    config = ImagesConfig()
    out.mkdir(parents=True, exist_ok=True)
    (out / MODEL_FILE).write_bytes(network.content)
    opened = session(out / MODEL_FILE, threads())
    eye = _Eye(opened, network.side)
    sample = _drawn(paths, config.sample, seed)
    seen = read_all(_only(paths, sample), (eye.size,), eye.look, progress)
    known = ~np.isnan(seen.vectors).any(axis=1)
    if known.sum() < FEWEST:
        return None
    _write(network, *directions(seen.vectors[known, : eye.width], config), out)
    encoder = ImageEncoder.load(out, threads())
    eye.learn(seen.vectors[known, eye.width :], config)
    others = sorted(set(range(len(paths))) - set(sample.tolist()))
    size = (encoder.spec.dims + eye.kept,)
    found = read_all(_only(paths, others), size, lambda path: eye.reduced(eye.look(path)[None], encoder)[0], progress)
    rows = np.empty((len(paths), *size), dtype=np.float32)
    rows[others], rows[sample] = found.vectors, eye.reduced(seen.vectors, encoder)
    maps = rows[:, encoder.spec.dims :].reshape(len(rows), *eye.shape[:2], -1).astype(np.float16) if eye.kept else None
    vectors = np.ascontiguousarray(rows[:, : encoder.spec.dims])
    return Looked(vectors, found.passed_over + seen.passed_over, maps)


class _Eye:
    """A network that looks at files: its vector and, after it in one row, its maps, if it gives any."""

    def __init__(self, opened: InferenceSession, side: int) -> None:
        self.opened, self.side = opened, side
        vector, *others = opened.get_outputs()
        maps = [output for output in others if output.name == MAPS]
        self.names, self.width = [vector.name, *(output.name for output in maps)], int(vector.shape[1])
        self.shape: tuple[int, ...] = tuple(maps[0].shape[1:]) if maps else (0, 0, 0)
        self.size = self.width + int(np.prod(self.shape))
        self.mean, self.channels = np.zeros(self.shape[2], np.float32), np.zeros((self.shape[2], 0), np.float32)

    def look(self, path: str) -> Floats:
        """(size,) of one file."""
        parts = self.opened.run(self.names, {self.opened.get_inputs()[0].name: _picture(path, self.side)[None]})
        return np.concatenate([part.ravel() for part in parts])

    def learn(self, maps: Floats, config: ImagesConfig) -> None:
        """Which channels tell places apart, of (n, h * w * c)."""
        if maps.size:
            whitened = config.model_copy(update={"embedding_size": config.channels, "power": 0.5})
            self.mean, self.channels = directions(maps.reshape(-1, self.shape[2]), whitened)

    @property
    def kept(self) -> int:
        """Numbers of the maps that are kept of a photo."""
        return self.shape[0] * self.shape[1] * self.channels.shape[1]

    def reduced(self, rows: Floats, encoder: ImageEncoder) -> Floats:
        """(n, dims + kept) of the rows (n, size) of photos."""
        vectors, maps = encoder.project(rows[:, : self.width]), rows[:, self.width :]
        if not self.kept:
            return vectors
        places = (maps.reshape(len(rows), -1, self.shape[2]) - self.mean) @ self.channels
        return np.concatenate([vectors, places.reshape(len(rows), -1)], axis=1)


def _drawn(paths: Sequence[str], most: int, seed: int) -> Longs:
    """Rows with a path, at most *most*, ascending."""
    rows = np.flatnonzero(np.array([bool(path) for path in paths]))
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    return rows.astype(np.int64)


def _only(paths: Sequence[str], rows: "Sequence[int] | Longs") -> list[str]:
    return [paths[row] for row in rows]


def _write(network: Network, mean: Floats, projection: Floats, out: Path) -> None:
    np.save(out / MEAN_FILE, mean)
    np.save(out / PROJECTION_FILE, projection)
    files = {name: sha256(out / name) for name in FILES}
    version = hashlib.sha256("".join(files.values()).encode()).hexdigest()[:12]
    spec = ImageEncoderSpec(
        name=network.name, version=version, dims=projection.shape[1], side=network.side, files=files
    )
    write_json(out / ENCODER_FILE, spec.model_dump(mode="json"))


def directions(seen: Floats, config: ImagesConfig) -> tuple[Floats, Floats]:
    """The mean (r,) of (n, r) rows and the (r, d) directions in which they differ most, the widest first.

    The sign of a direction is fixed by its largest part.
    """
    mean = seen.mean(axis=0, dtype=np.float64)
    centred = seen - mean
    size = min(config.embedding_size, *seen.shape)
    covariance = centred.T @ centred / len(seen)
    last = len(covariance) - 1
    variances, vectors = eigh(covariance, subset_by_index=(last - size + 1, last))
    variances, vectors = variances[::-1], vectors[:, ::-1]
    kept = variances > 1e-6 * variances[0]
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None, :], axis=0)
    scaled = vectors * np.sign(largest) / np.maximum(variances, 1e-12) ** config.power
    return mean.astype(np.float32), np.ascontiguousarray(scaled[:, kept], dtype=np.float32)


def threads() -> int:
    """One per core, up to four."""
    return min(os.cpu_count() or 1, 4)


def _picture(path: str, side: int) -> Pixels:
    return picture(content_of(path, MOST_BYTES), side)
