"""The networks that look at what a user did last; attention.c."""

from dataclasses import dataclass

import numpy as np

from serving.kernels.library import FLOAT, INT, Floats, Ints, done, expect, floats, ints, library, of


@dataclass(frozen=True)
class Nets:
    """Networks of equally many units, see serving.attention.

    hidden: (nets, inputs, units). bias, out: (nets, units). last: (nets,).
    """

    center: Floats
    scale: Floats
    temperature: Floats
    fade: Floats
    hidden: Floats
    bias: Floats
    out: Floats
    last: Floats


def attend(columns: Floats, members: int, nets: Nets, vectors: Floats, items: Ints, marks: Floats, at: Ints) -> Floats:
    """(n, m) what the networks add at the candidates *at* (n, m); see serving.attention.Attention.added."""
    n, m, width = columns.shape
    expect(at, (n, m))
    expect(marks, (*items.shape, 2))
    out = np.empty((n, m), dtype=np.float32)
    if not out.size:
        return out
    done(
        library.attend(
            of(FLOAT, floats(columns)), n, m, of(FLOAT, floats(vectors)), vectors.shape[1], of(INT, ints(items)),
            of(FLOAT, floats(marks)), items.shape[1], of(INT, ints(at)), members, width, of(FLOAT, nets.center),
            of(FLOAT, nets.scale), *nets.bias.shape, of(FLOAT, nets.temperature), of(FLOAT, nets.fade),
            of(FLOAT, nets.hidden), of(FLOAT, nets.bias),
            of(FLOAT, nets.out), of(FLOAT, nets.last), of(FLOAT, out, True),
        )
    )  # fmt: skip
    return out
