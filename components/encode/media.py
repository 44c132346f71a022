"""Photos, clips and sounds of a catalogue to vectors; a shop without media pays nothing."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.files import read_json, write_json
from components.common.stage import progress
from components.encode.files import Read, warn
from serving.arrays import Longs

IMAGE_FILE, AUDIO_FILE, VIDEO_FILE, MEDIA_FILE = "image.npy", "audio.npy", "video.npy", "media.json"
MAPS_FILE = "image_maps.npy"
IMAGE_ENCODER_FOLDER = "image_encoder"
MEDIA = (c.IMAGE, c.AUDIO, c.VIDEO)


def encode_media(items: pd.DataFrame, image_encoder: str, out: Path, seed: int) -> dict[str, Any]:
    """Write image.npy, video.npy and audio.npy of the kinds that the shop has, and media.json with what was read.

    Each is (n_items, d) float32, rows of length one, NaN where an item has no usable file: it is masked, never zero.
    Where the network gives maps, image_maps.npy (n_items, h, w, c) float16 beside them, for the deep member.

    Args:
        items: the catalogue, with the paths of its media.
        image_encoder: see components.encode.networks.network.
        out: the embeddings' folder.
        seed: of whatever is drawn or learned.

    Returns:
        What media.json holds: {kind: {"encoder", "items", "read", "passed_over": {reason: count}}}.
    """
    paths = {kind: _paths(items, kind) for kind in MEDIA}
    if not any(any(named) for named in paths.values()):
        return {}
    labels = _labels(items)
    said: dict[str, Any] = {}
    if any(paths[c.IMAGE]):
        said |= _images(paths[c.IMAGE], labels, image_encoder, out, seed)
    if any(paths[c.VIDEO]) and c.IMAGE in said:
        said |= _clips(paths[c.VIDEO], labels, out, seed)
    if any(paths[c.AUDIO]):
        said |= _sounds(paths[c.AUDIO], labels, out, seed)
    write_json(out / MEDIA_FILE, said)
    return said


def _images(paths: Sequence[str], labels: Longs, image_encoder: str, out: Path, seed: int) -> dict[str, Any]:
    from components.encode.images import encode_images
    from components.encode.networks import network

    looks = network(image_encoder, paths, labels, seed)
    if looks is None:
        return {}
    found = encode_images(paths, looks, out / IMAGE_ENCODER_FOLDER, seed, partial(progress, "encode"))
    if found is None:
        return {}
    if found.maps is not None:
        np.save(out / MAPS_FILE, found.maps)
    spec = read_json(out / IMAGE_ENCODER_FOLDER / "encoder.json")
    return _kept(c.IMAGE, found, f"{spec['name']} {spec['version']}", out / IMAGE_FILE)


def _clips(paths: Sequence[str], labels: Longs, out: Path, seed: int) -> dict[str, Any]:
    from components.encode.images import threads
    from components.encode.sequences import clips, encode_sequences
    from serving.image_encoder import ImageEncoder

    kind = clips(ImageEncoder.load(out / IMAGE_ENCODER_FOLDER, threads()))
    found = encode_sequences(paths, labels, kind, seed, partial(progress, "encode"))
    return {} if found is None else _kept(c.VIDEO, *found, out / VIDEO_FILE)


def _sounds(paths: Sequence[str], labels: Longs, out: Path, seed: int) -> dict[str, Any]:
    from components.encode.sequences import encode_sequences, sounds

    found = encode_sequences(paths, labels, sounds(), seed, partial(progress, "encode"))
    return {} if found is None else _kept(c.AUDIO, *found, out / AUDIO_FILE)


def _kept(kind: str, found: Read, encoder: str, path: Path) -> dict[str, Any]:
    np.save(path, found.vectors)
    warn(kind, found.passed_over, len(found.vectors))
    usable = int((~np.isnan(found.vectors[:, 0])).sum())
    counts = {reason: count for reason, count in sorted(found.passed_over.items()) if count}
    return {kind: {"encoder": encoder, "items": len(found.vectors), "read": usable, "passed_over": counts}}


def _paths(items: pd.DataFrame, kind: str) -> list[str]:
    return [str(path) for path in items[kind].fillna("")] if kind in items else [""] * len(items)


def _labels(items: pd.DataFrame) -> Longs:
    """(n_items,) number of each item's category path, -1 without one."""
    path = items[c.CATEGORY].astype(str)
    return np.asarray(pd.factorize(path.where(path != ""))[0], dtype=np.int64)
