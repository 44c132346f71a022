"""Writing members: numbers as JSON, arrays as .npy; never anything that executes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.config import Config
from components.common.files import write_json
from serving.members.base import MEMBER_FILE
from serving.members.neighbours import ARRAYS, NeighbourMember


def write_member(folder: Path, kind: str, numbers: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write `member.json` and one .npy file per array into *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values, allow_pickle=False)
    write_json(folder / MEMBER_FILE, {"kind": kind, **numbers})


def write_neighbours(folder: Path, member: NeighbourMember, config: Config) -> None:
    """Write a neighbourhood as CSR arrays: indptr int64, indices int32, data float32; and which items are known."""
    similarity = member.similarity
    known = np.ones(similarity.shape[0], dtype=bool)
    known[member.unknown] = False
    parts = (similarity.indptr.astype(np.int64), similarity.indices.astype(np.int32), similarity.data)
    numbers = {"config": config.model_dump(mode="json"), "history": member.history.model_dump(mode="json")}
    write_member(folder, member.kind, numbers, {**dict(zip(ARRAYS, parts, strict=True)), "known": known})
