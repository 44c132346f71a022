"""From trained towers to the files that serving reads."""

import warnings
from pathlib import Path

import numpy as np
import onnx
import tensorflow as tf

from components.common.files import write_json
from components.train_deep.canonical import canonical
from components.train_deep.config import DeepConfig
from components.train_deep.train import Towers
from serving.arrays import Bools
from serving.members.base import MEMBER_FILE
from serving.members.sequence import BIAS_FILE, KIND, TOWER_FILE, VECTORS_FILE

USER_OUTPUT = "user"


def export(towers: Towers, known: Bools, config: DeepConfig, folder: Path) -> None:
    """Write user.onnx, items.npy, bias.npy and member.json.

    Args:
        towers: the trained pair.
        known: (n_items,) items with training events or features; the rest get a NaN bias, so no score.
        config: what they were trained with.
        folder: the member's folder, made if absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    vectors = np.where(known[:, None], towers.item_vectors(), np.float32(0))
    bias = np.where(known, towers.bias(), np.float32(np.nan))
    np.save(folder / VECTORS_FILE, vectors.astype(np.float32), allow_pickle=False)
    np.save(folder / BIAS_FILE, bias.astype(np.float32), allow_pickle=False)
    _export_tower(towers, folder / TOWER_FILE)
    about = {
        "kind": KIND,
        "encoder": config.encoder,
        "photos": config.photos,
        "length": config.length,
        "embedding_size": config.embedding_size,
        "items": len(vectors),
    }
    write_json(folder / MEMBER_FILE, about)


def _export_tower(towers: Towers, path: Path) -> None:
    d = towers.item.ids.shape[1]
    towers.reader([tf.zeros((1, 2, d)), tf.zeros((1, 2), tf.int32)])  # the exporter wants a model that has been called
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # tf2onnx asks numpy for names it no longer has
        towers.reader.export(path, format="onnx", verbose=False)
    path.write_bytes(canonical(onnx.load(str(path), load_external_data=False), USER_OUTPUT))
