"""Which products are the highest, without all of them: vectors in eight bits say who could be, floats say who is.

A coarse product is off by no more than rounding can make it; whoever could be among the best by that much is looked at
once more by the vectors themselves. So what is found is what whole rows would find, for a quarter of what is read.
"""

import numpy as np

from serving import kernels
from serving.arrays import Bools, Floats, Ints
from serving.hidden import Hidden
from serving.opinion import Opinion

LANES, TOGETHER = 16, 4  # items side by side, and numbers of an item


def codes_of(vectors: Floats, place: Ints | None) -> kernels.Items:
    """(v, d) vectors in eight bits, block by block as the compiled loop reads them; place: see `kernels.Items`."""
    v, d = vectors.shape
    steps = np.maximum(np.abs(vectors).max(axis=1, initial=0) / 127, np.float32(1e-30)).astype(np.float32)
    numbers = np.rint(vectors / steps[:, None]).astype(np.int16)
    sizes = (steps * np.abs(numbers).sum(axis=1) / 2).astype(np.float32)
    blocks, groups = -(-v // LANES), -(-d // TOGETHER)
    padded = np.full((blocks * LANES, groups * TOGETHER), 128, dtype=np.uint8)
    padded[:v, :d] = numbers + 128
    laid = padded.reshape(blocks, LANES, groups, TOGETHER).transpose(0, 2, 1, 3)
    held = np.ascontiguousarray(vectors, dtype=np.float32)
    off = np.stack([steps, sizes] if place is None else [steps[place], sizes[place]])
    return kernels.Items(held, np.ascontiguousarray(laid), steps, place, off)


class Coded(Opinion):
    """Products of questions with items: the best by codes first, scores by the vectors themselves."""

    def __init__(self, items: kernels.Items, questions: Floats, bias: Floats, hidden: Hidden) -> None:
        """Keep what was asked.

        Args:
            items: in eight bits.
            questions: (n, d); NaN: nothing is scored.
            bias: (n_items,) added; NaN: not scored.
            hidden: what must not be shown.
        """
        super().__init__()
        self.items, self.questions, self.bias, self.hidden = items, questions, bias, hidden

    def _best(self, k: int) -> Ints:
        coarse = kernels.coarse(self.questions, self.items, self.bias)
        self.hidden.apply(coarse)
        return kernels.refined(self.questions, self.items, self.bias, coarse, k)

    def at(self, candidates: Ints) -> Floats:
        """See the base."""
        return kernels.exact(self.questions, self.items.vectors, self.items.place, self.bias, candidates)

    def hides(self, candidates: Ints) -> Bools:
        """See the base."""
        return self.hidden.at(candidates)
