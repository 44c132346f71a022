"""Arrays that a release keeps in fewer bytes; whoever reads one gets float32 and int32, however it is kept.

The dtype of the file says how: float16, uint16, or rows of bytes with a scale each. Nothing else has to know.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
SCALE, CODES = "scale", "codes"
MOST_CODE = 127  # codes are -127..127: the same on both sides of zero
WIDE = {np.dtype(np.float16): np.float32, np.dtype(np.uint16): np.int32}


def rows_of_bytes(width: int) -> np.dtype[np.void]:
    """The dtype of a row of *width* numbers kept as a byte each, times the row's own scale."""
    return np.dtype([(SCALE, "<f4"), (CODES, "i1", (width,))])


def coded(values: Floats) -> npt.NDArray[np.void]:
    """(n,) rows of bytes for finite *values* (n, d): each is off by at most half its row's largest over MOST_CODE."""
    kept = np.empty(len(values), dtype=rows_of_bytes(values.shape[1]))
    kept[SCALE] = np.abs(values).max(axis=1, initial=0) / MOST_CODE
    steps = np.where(kept[SCALE] > 0, kept[SCALE], 1)[:, None]
    kept[CODES] = np.clip(np.rint(values / steps), -MOST_CODE, MOST_CODE)
    return kept


def widened(kept: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """What *kept* stands for, in float32 or int32; an array that is not kept small comes back as it is."""
    if kept.dtype.names == (SCALE, CODES):
        return np.asarray(kept[CODES] * kept[SCALE][:, None], dtype=np.float32)
    wide = WIDE.get(kept.dtype)
    return kept if wide is None else kept.astype(wide)
