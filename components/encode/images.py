"""Photos to vectors: what a network sees, reduced to what tells this catalogue's photos apart."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.linalg import eigh

from components.common.config import Config
from components.common.files import sha256, write_json
from components.encode.files import Progress, Read, content_of, read_all
from components.encode.onnx_export import Network
from serving.arrays import Floats, Longs
from serving.image_encoder import (
    ENCODER_FILE,
    FILES,
    MEAN_FILE,
    MODEL_FILE,
    PROJECTION_FILE,
    ImageEncoder,
    ImageEncoderSpec,
    look,
)
from serving.onnx import session
from serving.pictures import Pixels, picture

MOST_BYTES = 32 << 20
FEWEST = 2  # photos: of one, nothing says what is particular


class ImagesConfig(Config):
    """How many directions are kept, and what they are learned from."""

    embedding_size: int = 512
    power: float = 0.25  # directions are divided by their variance to this power: 0 leaves them, 0.5 makes all alike
    sample: int = 10_000  # photos from which the directions are learned


def encode_images(
    paths: Sequence[str], network: Network, out: Path, seed: int, progress: Progress | None = None
) -> Read | None:
    """Write the encoder of this catalogue to *out* and encode all its photos.

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
    sample = _drawn(paths, config.sample, seed)
    width = opened.get_outputs()[0].shape[1]
    seen = read_all(_only(paths, sample), (width,), lambda path: look(opened, _picture(path, network.side)), progress)
    known = ~np.isnan(seen.vectors).any(axis=1)
    if known.sum() < FEWEST:
        return None
    _write(network, *directions(seen.vectors[known], config), out)
    encoder = ImageEncoder.load(out, threads())
    others = sorted(set(range(len(paths))) - set(sample.tolist()))
    found = read_all(
        _only(paths, others),
        (encoder.spec.dims,),
        lambda path: encoder.encode([_picture(path, network.side)])[0],
        progress,
    )
    vectors = np.empty((len(paths), encoder.spec.dims), dtype=np.float32)
    vectors[others], vectors[sample] = found.vectors, encoder.project(seen.vectors)
    return Read(vectors, found.passed_over + seen.passed_over)


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
