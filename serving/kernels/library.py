"""The compiled library, and how arrays are handed to it."""

import logging
from pathlib import Path
from typing import Any

import _cffi_backend
import cffi
import numpy as np
import numpy.typing as npt

from serving.kernels.build import LIBRARY, digest

log = logging.getLogger(__name__)
SIGNATURES = Path(__file__).with_name("signatures.txt")
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]

ffi = cffi.FFI()
ffi.cdef(SIGNATURES.read_text())
of = _cffi_backend.from_buffer  # what ffi.from_buffer asks, without its ado: a request asks it some two hundred times
FLOAT, INT, LONG, BYTE, DOUBLE = (
    ffi.typeof(f"{kind}[]") for kind in ("float", "int32_t", "int64_t", "uint8_t", "double")
)


def loaded(path: Path, made_from: str) -> Any:
    """The library at *path*, or None where there is none made from the sources of that digest."""
    if not path.exists():
        log.info("the compiled loops are not there; answers are the same, slower: python serving/kernels/build.py")
        return None
    found = ffi.dlopen(str(path))
    if ffi.string(found.made_from()).decode() == made_from:
        return found
    log.warning("the compiled loops are not of these sources and are left out: python serving/kernels/build.py")
    return None


library = loaded(LIBRARY, digest())


def done(status: int) -> None:
    """Raise if the library says that it had no memory."""
    if status:
        raise MemoryError("a compiled loop found no memory for its own arrays")


def floats(array: Array) -> Any:
    """The library's view of numbers: four bytes each, row after row."""
    return of(FLOAT, np.ascontiguousarray(array, dtype=np.float32))


def ints(array: Array) -> Any:
    """The same of whole numbers."""
    return of(INT, np.ascontiguousarray(array, dtype=np.int32))


def longs(array: Array) -> Any:
    """The same of whole numbers of eight bytes."""
    return of(LONG, np.ascontiguousarray(array, dtype=np.int64))


def expect(array: Array, shape: tuple[int, ...]) -> None:
    """Raise if the array is not of that shape."""
    if array.shape != shape:
        raise ValueError(f"found an array of shape {array.shape}, expected {shape}")


def flags(array: Bools) -> Any:
    """The library's view of whether things are so."""
    return of(BYTE, np.ascontiguousarray(array, dtype=np.bool_))
