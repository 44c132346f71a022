"""The packaged encoder, written and loaded once per process, for the tests that need real vectors."""

import tempfile
from functools import lru_cache
from pathlib import Path

import pandas as pd

from components.encode.compose import compose
from components.encode.packages import DEFAULT, write_encoder
from serving.arrays import Floats
from serving.encoder import TextEncoder


@lru_cache(maxsize=1)
def real_encoder() -> TextEncoder:
    """The int8 MiniLM on one thread."""
    with tempfile.TemporaryDirectory() as folder:
        write_encoder(DEFAULT, Path(folder))
        return TextEncoder.load(Path(folder))


def vectors_of(items: pd.DataFrame) -> Floats:
    """(n_items, 384) of the composed texts."""
    return real_encoder().encode(compose(items))
