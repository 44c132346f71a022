"""The encode stage: a prepared shop's texts to vectors, through the encoder that will serve."""

import os
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from components.common.prepared import ITEMS_FILE
from components.common.stage import progress
from components.encode.compose import compose
from components.encode.packages import write_encoder
from serving.encoder import TextEncoder

TEXT_FILE, ENCODER_FOLDER = "text.npy", "encoder"


def encode(prepared: Path, encoder: str, out: Path) -> None:
    """Write text.npy, (n_items, d) float32 of unit rows in catalogue order, and the encoder itself.

    Args:
        prepared: a prepared folder.
        encoder: "minilm-int8", or a folder with model.onnx, tokenizer.json and encoder.json.
        out: folder to write.

    Raises:
        ConfigError: no such encoder.
    """
    write_encoder(encoder, out / ENCODER_FOLDER)
    model = TextEncoder.load(out / ENCODER_FOLDER, threads=_threads())
    texts = compose(pd.read_parquet(prepared / ITEMS_FILE))
    np.save(out / TEXT_FILE, model.encode(texts, partial(progress, "encode")))


def _threads() -> int:
    """One per core, up to four."""
    return min(os.cpu_count() or 1, 4)
