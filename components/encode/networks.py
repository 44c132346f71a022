"""Which network looks at the photos: a package's, a folder's, or one that learns the catalogue's categories."""

import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from components.common.errors import ConfigError
from components.common.files import read_json, sha256
from components.encode.files import content_of
from components.encode.images import MOST_BYTES
from components.encode.onnx_export import Network
from serving.arrays import Longs
from serving.image_encoder import ENCODER_FILE, MODEL_FILE
from serving.pictures import BadMediaError, Pixels, picture

log = logging.getLogger(__name__)
AUTO, PACKAGED, OWN = "auto", "mobilenet-v2", "own-categories"
NAMES = (AUTO, PACKAGED, OWN)


def network(name: str, paths: Sequence[str], labels: Longs, seed: int) -> Network | None:
    """The network called *name*; None where there is neither a package nor a category to learn from.

    Args:
        name: one of NAMES, or a folder with model.onnx and encoder.json ({"name", "side", "files"}).
        paths: n photos, for a network that is to learn.
        labels: (n,) the items' categories, -1 without one.
        seed: of what is learned.

    Raises:
        ConfigError: there is no such network.
    """
    if name not in NAMES:
        return _of_folder(Path(name))
    if name == PACKAGED or (name == AUTO and _installed()):
        from components.encode.mobilenet import SIDE, pretrained
        from components.encode.onnx_export import export

        return export(PACKAGED, pretrained(), SIDE, maps=True)
    return _own(paths, labels, seed)


def _installed() -> bool:
    from components.encode.mobilenet import PACKAGE

    return find_spec(PACKAGE) is not None


def _of_folder(folder: Path) -> Network:
    model, described = folder / MODEL_FILE, folder / ENCODER_FILE
    if not model.is_file() or not described.is_file():
        raise ConfigError(
            f"image encoder '{folder}': expected {', '.join(NAMES)} or a folder with {MODEL_FILE} and {ENCODER_FILE}."
        )
    said = read_json(described)
    if said.get("files", {}).get(MODEL_FILE) != sha256(model) or not isinstance(said.get("side"), int):
        raise ConfigError(f"{described}: expected 'side' in pixels and the SHA-256 of {MODEL_FILE} under 'files'.")
    return Network(str(said.get("name", folder.name)), said["side"], model.read_bytes())


def _own(paths: Sequence[str], labels: Longs, seed: int) -> Network | None:
    from components.encode.onnx_export import export
    from components.encode.small_cnn import NAME, SIDE, SmallCnnConfig, learnable, train_small_cnn

    config = SmallCnnConfig()
    named = np.array([bool(path) for path in paths]) & (labels >= 0)
    drawn = np.random.default_rng(seed).permutation(np.flatnonzero(named))[: config.most_photos]
    found = {row: pixels for row in np.sort(drawn).tolist() if (pixels := _picture(paths[row], SIDE)) is not None}
    number = learnable(labels[list(found)], config.least_photos) if found else np.empty(0, np.int64)
    if number.max(initial=-1) < 1:
        log.warning("image: no weights are installed and there are not two categories with photos to learn from")
        return None
    kept = np.flatnonzero(number >= 0)
    pictures = np.stack(list(found.values()))[kept]
    return export(NAME, train_small_cnn(pictures, number[kept], seed, config), SIDE)


def _picture(path: str, side: int) -> Pixels | None:
    try:
        return picture(content_of(path, MOST_BYTES), side)
    except BadMediaError:
        return None
