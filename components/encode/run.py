"""The encode stage: a prepared shop's texts and media to vectors, through the encoders that will serve."""

import os
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from components.common.files import read_json
from components.common.prepared import ITEMS_FILE, SPLIT_FILE
from components.common.stage import progress
from components.encode.compose import compose
from components.encode.english import in_english
from components.encode.media import encode_media
from components.encode.packages import write_encoder
from serving.encoder import TextEncoder

TEXT_FILE, ENCODER_FOLDER = "text.npy", "encoder"
AUTO = "auto"


def encode(prepared: Path, encoder: str, out: Path, image_encoder: str = AUTO) -> None:
    """Write text.npy, (n_items, d) float32 of unit rows in catalogue order, and the encoder itself; media likewise.

    Args:
        prepared: a prepared folder.
        encoder: "minilm-int8", or a folder with model.onnx, tokenizer.json and encoder.json.
        out: folder to write.
        image_encoder: "auto" (the installed weights, else a network of our own), or see components.encode.networks.

    Raises:
        ConfigError: no such encoder.
    """
    write_encoder(encoder, out / ENCODER_FOLDER)
    model = TextEncoder.load(out / ENCODER_FOLDER, threads=_threads())
    items = pd.read_parquet(prepared / ITEMS_FILE)
    texts = compose(items) if model.reads_chinese else in_english(compose(items))
    np.save(out / TEXT_FILE, model.encode(texts, partial(progress, "encode")))
    encode_media(items, image_encoder, out, int(read_json(prepared / SPLIT_FILE)["seed"]))


def _threads() -> int:
    """One per core, up to four."""
    return min(os.cpu_count() or 1, 4)
