"""What a blend makes of its members' scores; features.c, linear.c, head.c, settle.c, parts.c."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from serving.kernels.library import (
    BYTE,
    FLOAT,
    LONG,
    Bools,
    Floats,
    Longs,
    done,
    expect,
    flags,
    floats,
    library,
    longs,
    of,
)
from serving.kernels.trees import Forest, nodes_of

GateArrays = tuple[Floats, Floats, bool, int]  # see serving.gate.Gate.units
_NOTHING: GateArrays = (np.empty(0, dtype=np.float32), np.empty(0, dtype=np.float32), False, 0)


def features(scores: Floats, valid: npt.NDArray[np.bool_], kinds: int) -> Floats:
    """(n, kinds * K, c) of scores (n, K, c); see serving.calibration.feature_rows."""
    n, members, c = scores.shape
    expect(valid, (n, c))
    out = np.empty((n, kinds * members, c), dtype=np.float32)
    flags = np.ascontiguousarray(valid, dtype=np.bool_)
    done(library.features(floats(scores), of(BYTE, flags), n, members, c, of(FLOAT, out, True)))
    return out


def linear(table: Floats, gate: GateArrays | None, rows: Floats, context: Floats) -> Floats:
    """(n, c) what a table (1 + H, width) makes of rows (n, width, c) by a gate, if there is one.

    See serving.verdict; context: (n, c, G).
    """
    (n, width, c), g = rows.shape, context.shape[2]
    slopes, bias, steps, alike = gate or _NOTHING
    expect(table, (1 + len(bias), width))
    expect(context, (n, c, g))
    out = np.empty((n, c), dtype=np.float32)
    done(
        library.linear(
            floats(table), width, floats(slopes), floats(bias), len(bias), steps, alike,
            floats(rows), floats(context), n, c, g, of(FLOAT, out, True),
        )
    )  # fmt: skip
    return out


def head(
    total: Floats, valid: Bools, rows: Floats, scores: Floats, context: Floats, depth: int
) -> tuple[Longs, Floats]:
    """Places (n, m) of the *depth* best candidates, and what trees read of them; see serving.trees.head_columns.

    total, valid: (n, c). rows: (n, F * K, c). scores: (n, K, c). context: (n, c, G).
    """
    n, members, c = scores.shape
    m, width = min(depth, c), context.shape[2]
    for array, shape in ((total, (n, c)), (valid, (n, c)), (context, (n, c, width))):
        expect(array, shape)
    order = np.empty((n, m), dtype=np.int64)
    columns = np.empty((n, m, 3 * members + 2 + width), dtype=np.float32)
    done(
        library.head(
            floats(total), flags(valid), floats(rows),
            floats(scores), floats(context), n, c, members, width, m, of(LONG, order, True),
            of(FLOAT, columns, True),
        )
    )  # fmt: skip
    return order, columns


def spread(total: Floats, order: Longs, added: Floats) -> tuple[Floats, Floats]:
    """What `serving.trees.spread` gives of total (n, c), order and added (n, m)."""
    n, c = total.shape
    expect(added, order.shape)
    moved, out = np.empty((2, n, c), dtype=np.float32)
    found = of(FLOAT, moved, True), of(FLOAT, out, True)
    done(library.spread(floats(total), n, c, longs(order), floats(added), order.shape[1], *found))
    return moved, out


def held_back(scores: Floats, member: int, valid: Bools, total: Floats) -> Floats:
    """(n, c) see serving.breadth.held_back; *member* of scores (n, K, c) says what sells."""
    n, members, c = scores.shape
    expect(total, (n, c))
    held = np.empty((n, c), dtype=np.float32)
    if held.size:
        sold = floats(scores) + member * c
        library.held_back(sold, members * c, flags(valid), floats(total), n, c, of(FLOAT, held, True))
    return held


def weighted(table: Floats, gate: GateArrays | None, rows: Floats, context: Floats, places: Longs) -> Floats:
    """(n, k, members + 1) parts of the linear blend at *places* (n, k), the last 0; see serving.verdict."""
    (n, width, c), (_, k), g = rows.shape, places.shape, context.shape[2]
    slopes, bias, steps, alike = gate or _NOTHING
    expect(table, (1 + len(bias), width))
    expect(context, (n, c, g))
    members = width // 6
    found = np.empty((n, k, members + 1), dtype=np.float32)
    done(
        library.weighted(
            floats(table), members, floats(slopes), floats(bias), len(bias), steps, alike, floats(rows),
            floats(context), n, c, g, longs(places), k, of(FLOAT, found, True),
        )
    )  # fmt: skip
    return found


@dataclass(frozen=True)
class Head:
    """What corrects the best candidates of the linear blend, of the members of the blend in its order.

    order: (n, m) their places. columns: (n, m, C) what trees read of them. looked: (n, m) what attention adds.
    moved: (n, c) by how much the others are kept below them.
    """

    order: Longs
    columns: Floats
    looked: Floats
    moved: Floats


def correct(found: Floats, places: Longs, head: Head, forest: Forest, own: Longs, valid: Bools) -> None:
    """Add to *found* (n, k, P + 1), parts at *places* (n, k), what corrects them.

    own: (K,) where among the P members those of the blend are. valid: (n, c).
    """
    (n, k, owners), (_, m, width), c = found.shape, head.columns.shape, head.moved.shape[1]
    expect(places, (n, k))
    expect(valid, (n, c))
    expect(head.looked, (n, m))
    if found.size:
        done(
            library.corrected(
                longs(places), n, k, owners - 1, longs(head.order), floats(head.columns),
                m, width, floats(head.looked), floats(head.moved), flags(valid), c, longs(own),
                len(own), forest.trees, forest.size, *nodes_of(forest.nodes, forest.trees * forest.size),
                floats(forest.owned), of(FLOAT, found, True),
            )
        )  # fmt: skip
