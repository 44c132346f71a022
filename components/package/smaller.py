"""Members' arrays in fewer bytes: numbers kept as float16 or int8, and neighbours that say little left out.

Only what recommends is touched, since only its lists are judged before a smaller release is taken (see
components.package.trial). Numbers of one row an item, such as what sells, stay as they are: they are few, and their
order matters.

| asked for | tables of vectors | values of sparse matrices | entries of sparse matrices |
|---|---|---|---|
| float16 | float16: 11 bits | float16 | all |
| int8 | a byte a number and a scale a row | float16 | all |
| pruned | float32 | float32 | those that hold KEPT of each row's squares |
| pruned-int8 | as int8 | float16 | as pruned |

Places in sparse matrices take two bytes instead of four wherever they fit; nothing is lost by that.
"""

from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from components.common.config import Smaller
from components.common.errors import ConfigError
from components.common.files import read_json
from serving.arrays import Bools, Floats, stored
from serving.compact import coded
from serving.members import member_class
from serving.members.base import MEMBER_FILE
from serving.queries import RECOMMEND

WAYS: tuple[Smaller, ...] = get_args(Smaller)
IN_BYTES: tuple[Smaller, ...] = ("float16", "int8", "pruned", "pruned-int8")  # the ways that rewrite arrays
KEPT = 0.99  # of the sum of squares of a sparse row; the smallest entries beyond that are pruned
HALF_BITS = 2.0**-11  # what float16 may be off by, of an array's largest
INDPTR, INDICES, DATA = "indptr.npy", "indices.npy", "data.npy"


def way_of(asked: str) -> Smaller:
    """The way that *asked* names.

    Raises:
        ConfigError: it names none.
    """
    for way in WAYS:
        if asked == way:
            return way
    raise ConfigError(f"smaller: found '{asked:.40}', expected one of {', '.join(WAYS)}.")


def make_smaller(members: Path, how: Smaller) -> tuple[str, ...]:
    """Rewrite the arrays of the members below *members* that recommend; the names of those that are smaller now."""
    changed = []
    for path in sorted(members.glob(f"*/{MEMBER_FILE}")):
        if how in IN_BYTES and RECOMMEND in member_class(read_json(path)["kind"]).scenarios:
            before = size_of(path.parent)
            _rewrite(path.parent, how)
            changed += [path.parent.name] if size_of(path.parent) < before else []
    return tuple(changed)


def size_of(folder: Path) -> int:
    """Bytes of all files below *folder*."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def halved(values: Floats) -> npt.NDArray[np.float16] | None:
    """*values* as float16, NaN and infinities kept; None: one would be off by more than HALF_BITS of the largest."""
    with np.errstate(over="ignore"):
        halves = values.astype(np.float16)
    known = np.isfinite(values)
    off = np.abs(halves[known].astype(np.float32) - values[known]).max(initial=0)
    return halves if off <= HALF_BITS * np.abs(values[known]).max(initial=0) else None


def telling(indptr: npt.NDArray[np.integer], data: Floats, share: float = KEPT) -> Bools:
    """(nnz,) which entries of sparse rows to keep: of each row the largest that together hold *share* of its squares.

    Of equals the first come first.
    """
    sizes = np.diff(indptr)
    row_of = np.repeat(np.arange(len(sizes)), sizes)
    squares = data.astype(np.float64) ** 2
    totals = np.bincount(row_of, squares, minlength=len(sizes))
    order = np.lexsort((-squares, row_of))
    reached = np.concatenate([[0.0], np.cumsum(squares[order])])
    before = reached[:-1] - reached[indptr[:-1]][row_of]
    keep = np.zeros(len(data), dtype=bool)
    keep[order] = before < share * totals[row_of]
    return keep


def _rewrite(folder: Path, how: Smaller) -> None:
    sparse = (folder / INDPTR).exists()
    if sparse and how.startswith("pruned"):
        _prune(folder)
    for path in sorted(folder.glob("*.npy")):
        values = stored(path)
        kept = _indices(values) if sparse and path.name == INDICES else _numbers(values, sparse, path.name, how)
        if kept is not None and kept.nbytes < values.nbytes:
            _write(path, kept)


def _numbers(values: npt.NDArray[Any], sparse: bool, name: str, how: Smaller) -> npt.NDArray[Any] | None:
    """The smaller form of vectors and of sparse values; None: they stay."""
    if values.dtype != np.float32 or how == "pruned":
        return None
    if values.ndim == 2 and how.endswith("int8") and np.isfinite(values).all():
        return coded(values)
    return halved(values) if values.ndim == 2 or (sparse and name == DATA) else None


def _indices(values: npt.NDArray[Any]) -> npt.NDArray[np.uint16] | None:
    """Places in two bytes; None: one does not fit."""
    return values.astype(np.uint16) if values.max(initial=0) <= np.iinfo(np.uint16).max else None


def _prune(folder: Path) -> None:
    indptr, data = stored(folder / INDPTR), stored(folder / DATA)
    keep = telling(indptr, data)
    places = np.concatenate([[0], np.cumsum(keep)])[indptr].astype(indptr.dtype)
    found = {INDPTR: places, INDICES: stored(folder / INDICES)[keep], DATA: data[keep]}
    for name, values in found.items():
        _write(folder / name, values)


def _write(path: Path, values: npt.NDArray[Any]) -> None:
    """Replace the file: what is mapped from the old one stays what it was."""
    path.unlink()
    np.save(path, values, allow_pickle=False)
