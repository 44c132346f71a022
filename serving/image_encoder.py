"""A convolutional network on ONNX Runtime: the same code encodes the catalogue's photos and those of requests."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from onnxruntime import InferenceSession

from components.common.config import Config
from components.common.errors import ReleaseError
from components.common.files import read_json, sha256
from serving.arrays import Floats, stored
from serving.onnx import session
from serving.pictures import MOST_ASKED_PIXELS, Pixels, picture

MODEL_FILE, MEAN_FILE, PROJECTION_FILE, ENCODER_FILE = "model.onnx", "mean.npy", "projection.npy", "encoder.json"
FILES = (MODEL_FILE, MEAN_FILE, PROJECTION_FILE)


class ImageEncoderSpec(Config):
    """`encoder.json`: where an encoder comes from and how it is fed."""

    name: str
    version: str
    dims: int
    side: int  # pixels
    files: dict[str, str]  # file name -> SHA-256


class ImageEncoder:
    """Pictures to unit vectors: what the network saw, projected on what tells this shop's photos apart.

    The graph takes (n, side, side, 3) of 0 to 255 and normalises them itself.
    """

    def __init__(self, session: InferenceSession, mean: Floats, projection: Floats, spec: ImageEncoderSpec) -> None:
        """Keep the parts.

        Args:
            session: the network.
            mean: (r,) of what it gives.
            projection: (r, dims).
            spec: how it is fed.
        """
        self.spec, self._session, self._mean, self._projection = spec, session, mean, projection

    @classmethod
    def load(cls, folder: Path, threads: int = 1) -> "ImageEncoder":
        """Read encoder.json and the files it names, after checking their digests.

        Raises:
            ReleaseError: a file is missing or is not the one that encoder.json names.
        """
        spec = _spec(folder / ENCODER_FILE)
        for name in FILES:
            if not (folder / name).is_file() or sha256(folder / name) != spec.files.get(name):
                raise ReleaseError(f"{folder / name}: is not the file that {ENCODER_FILE} names. Rebuild the release.")
        mean, projection = (stored(folder / name) for name in (MEAN_FILE, PROJECTION_FILE))
        return cls(session(folder / MODEL_FILE, threads), mean, projection, spec)

    def project(self, seen: Floats) -> Floats:
        """(n, dims) rows of length one of what the network gave, (n, r)."""
        found = (seen - self._mean) @ self._projection
        unit: Floats = (found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)).astype(np.float32)
        return unit

    def encode(self, pictures: Sequence[Pixels]) -> Floats:
        """(n, dims) rows of length one of (side, side, 3) *pictures*, each alone: no row depends on another."""
        rows = [self.project(look(self._session, pixels)[None]) for pixels in pictures]
        return np.concatenate([np.empty((0, self.spec.dims), np.float32), *rows])

    def encode_asked(self, contents: Sequence[bytes | None]) -> Floats:
        """(n, dims) vectors of the images of requests; NaN where there is none.

        Raises:
            BadMediaError: one cannot be used.
        """
        vectors = np.full((len(contents), self.spec.dims), np.nan, dtype=np.float32)
        for row, content in enumerate(contents):
            if content is not None:
                vectors[row] = self.encode([picture(content, self.spec.side, MOST_ASKED_PIXELS)])[0]
        return vectors


def look(network: InferenceSession, pixels: Pixels) -> Floats:
    """(r,) what a network gives for one (side, side, 3) picture."""
    first = [network.get_outputs()[0].name]  # maps, if it gives any, are for those who train
    found: Floats = network.run(first, {network.get_inputs()[0].name: pixels[None]})[0][0]
    return found


def _spec(path: Path) -> ImageEncoderSpec:
    try:
        return ImageEncoderSpec.parse(read_json(path), str(path))
    except (OSError, ValueError) as error:
        raise ReleaseError(f"{path}: expected an encoder's description, found {error}. Rebuild the release.") from error
