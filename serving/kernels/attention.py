"""The networks that look at what a user did last; attention.c."""

from dataclasses import dataclass

import numpy as np

from serving.kernels.library import FLOAT, Floats, Ints, done, expect, floats, ints, library, of


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
            floats(columns), n, m, floats(vectors), vectors.shape[1], ints(items),
            floats(marks), items.shape[1], ints(at), members, width, floats(nets.center),
            floats(nets.scale), *nets.bias.shape, floats(nets.temperature), floats(nets.fade),
            floats(nets.hidden), floats(nets.bias),
            floats(nets.out), floats(nets.last), of(FLOAT, out, True),
        )
    )  # fmt: skip
    return out
