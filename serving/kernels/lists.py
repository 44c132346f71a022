"""Lists of candidates: the best of rows, and who could be; select.c, pool.c, settle.c."""

from collections.abc import Sequence

import numpy as np

from serving.kernels.library import (
    FLOAT,
    INT,
    LONG,
    Bools,
    Floats,
    Ints,
    Longs,
    done,
    expect,
    ffi,
    flags,
    floats,
    ints,
    library,
    longs,
    of,
)


def best(scores: Floats, k: int) -> Ints:
    """(n, k) see serving.arrays.top_k."""
    n, m = scores.shape
    out = np.empty((n, k), dtype=np.int32)
    done(library.best(floats(scores), n, m, k, of(INT, out, True)))
    return out


def contenders(total: Floats, valid: Bools, k: int, rounding: float) -> Longs:
    """(n, w) see serving.ranking.contenders."""
    n, c = total.shape
    expect(valid, (n, c))
    places = np.empty((n, c), dtype=np.int64)
    width = library.contenders(floats(total), flags(valid), n, c, k, rounding, of(LONG, places, True))
    done(min(width, 0))
    return np.ascontiguousarray(places[:, : max(width, min(k, c))])


def joined(parts: Sequence[Ints], catalogue: int) -> Ints:
    """(n, w) see serving.pool.union; of rows below *catalogue*."""
    held = [ints(part) for part in parts]
    n, sizes = len(parts[0]), np.array([part.shape[1] for part in parts], dtype=np.int64)
    out = np.empty((n, int(sizes.sum())), dtype=np.int32)
    at = ffi.new("int32_t *[]", held)
    width = library.joined(at, longs(sizes), len(held), n, out.shape[1], catalogue, of(INT, out, True))
    done(min(width, 0))
    return np.ascontiguousarray(out[:, : max(width, 1)])


def gathered(arrays: Sequence[Floats], candidates: Ints) -> Floats:
    """(n, K, c) see serving.arrays.gather_all."""
    n, c = candidates.shape
    for array in arrays:
        expect(array, (n, arrays[0].shape[1]))
    held = [floats(array) for array in arrays]
    out = np.empty((n, len(held), c), dtype=np.float32)
    wanted = ints(candidates)
    library.gathered(ffi.new("float *[]", held), len(held), n, arrays[0].shape[1], wanted, c, of(FLOAT, out, True))
    return out
