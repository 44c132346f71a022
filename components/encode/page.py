"""What Kubeflow's UI shows of the encodings."""

from pathlib import Path

import numpy as np

from components.common.files import read_json
from components.common.page import page, table


def encoded_page(embeddings: Path) -> str:
    """A page of the arrays and the encoders in the folder that `encode` wrote."""
    arrays = [
        (path.stem, np.load(path, mmap_mode="r", allow_pickle=False)) for path in sorted(embeddings.glob("*.npy"))
    ]
    shapes = [(name, " x ".join(map(str, array.shape)), array.nbytes / 1e6) for name, array in arrays]
    told = [(path.parent.name, read_json(path)) for path in sorted(embeddings.glob("*/*encoder.json"))]
    encoders = [(folder, one.get("name", "its own"), one.get("dims", "–")) for folder, one in told]
    return page(
        "Encodings",
        table(("what", "items and numbers", "MB"), shapes) or "The shop has nothing to encode.",
        table(("encoder", "name", "numbers"), encoders),
    )
