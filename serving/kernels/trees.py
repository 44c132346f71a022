"""Small regression trees; trees.c."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from serving.kernels.library import FLOAT, Array, Floats, Ints, done, expect, floats, ints, library, longs, of


@dataclass(frozen=True)
class Forest:
    """Trees laid out, see serving.trees.Flat."""

    trees: int
    size: int
    nodes: tuple[Array, Floats, Ints]
    owned: Floats


def nodes_of(nodes: tuple[Array, Floats, Ints], count: int) -> tuple[Any, Any, Any]:
    """The library's view of *count* nodes."""
    for array in nodes:
        expect(array.ravel(), (count,))
    return longs(nodes[0]), floats(nodes[1]), ints(nodes[2])


def trees_summed(columns: Floats, trees: int, size: int, nodes: tuple[Array, Floats, Ints], values: Floats) -> Floats:
    """(m,) see serving.trees.Flat.sum; nodes: feature, threshold and what is ruled out."""
    out = np.empty(len(columns), dtype=np.float32)
    done(
        library.trees_summed(
            floats(columns), len(columns), columns.shape[1], trees, size, *nodes_of(nodes, trees * size),
            floats(values), of(FLOAT, out, True),
        )
    )  # fmt: skip
    return out


def trees_owned(columns: Floats, trees: int, size: int, nodes: tuple[Array, Floats, Ints], owned: Floats) -> Floats:
    """(m, owners) see serving.trees.Flat.attribute."""
    out = np.empty((len(columns), owned.shape[1]), dtype=np.float32)
    done(
        library.trees_owned(
            floats(columns), len(columns), columns.shape[1], trees, size, *nodes_of(nodes, trees * size),
            floats(owned), owned.shape[1], of(FLOAT, out, True),
        )
    )  # fmt: skip
    return out


NOTHING = Forest(0, 0, (np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int32)), np.empty(0, np.float32))
