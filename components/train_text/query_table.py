"""A table of queries' vectors from a teacher's: ridge regression of texts on their tokens and pairs of neighbours."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from scipy import sparse

from serving.arrays import Floats, Longs
from serving.static_queries import PAIR, keys_of

AT_ONCE = 64  # columns solved together: their arrays stay near


def pairs_held(tokens: Sequence[Sequence[int]], fewest: int, most: int) -> Longs:
    """Keys of the pairs of neighbours that at least *fewest* texts hold, the *most* frequent, ascending."""
    counts = Counter(key for text in tokens for key in set(keys_of(text)) if key >= PAIR)
    frequent = sorted((key for key, count in counts.items() if count >= fewest), key=lambda key: (-counts[key], key))
    return np.sort(np.array(frequent[:most], dtype=np.int64))


def holdings(tokens: Sequence[Sequence[int]], keys: Longs) -> sparse.csr_matrix:
    """(texts, keys) how often a text holds a key, over the root of its tokens; *keys* ascending, no others."""
    asked = [np.array(keys_of(text), dtype=np.int64) for text in tokens]
    sizes = np.array([len(text) for text in asked])
    weights = np.repeat([1 / np.sqrt(max(len(text), 1)) for text in tokens], sizes)
    every, row_of = np.concatenate([*asked, np.empty(0, np.int64)]), np.repeat(np.arange(len(asked)), sizes)
    places = np.minimum(np.searchsorted(keys, every), len(keys) - 1)
    known = keys[places] == every
    shape = (len(asked), len(keys))
    return sparse.csr_matrix((weights[known].astype(np.float32), (row_of[known], places[known])), shape=shape)


def ridge(held: sparse.csr_matrix, targets: Floats, start: Floats, reg: Floats, steps: int) -> Floats:
    """(keys, d) rows x that make |held x - targets|^2 + sum of reg * |x - start|^2 least, by conjugate gradients.

    Args:
        held: (texts, keys).
        targets: (texts, d).
        start: (keys, d) what a row is held to.
        reg: (keys,) how firmly, above 0.
        steps: of the gradients; exact after as many as there are keys, near long before.
    """
    across, found = held.T.tocsr(), start.copy()
    scale = 1 / (np.asarray(held.multiply(held).sum(axis=0)).ravel() + reg)[:, None]  # Jacobi

    def normal(x: Floats) -> Floats:
        product: Floats = across @ (held @ x) + reg[:, None] * x
        return product

    for at in range(0, targets.shape[1], AT_ONCE):
        columns = slice(at, at + AT_ONCE)
        left = across @ (targets[:, columns] - held @ start[:, columns])
        found[:, columns] += _solved(normal, left, scale.astype(np.float32), steps)
    return found


def _solved(normal: Callable[[Floats], Floats], right: Floats, scale: Floats, steps: int) -> Floats:
    """x of normal(x) = right, column by column, from zero."""
    x, left = np.zeros_like(right), right.copy()
    toward = scale * left
    size = (left * toward).sum(axis=0)
    for _ in range(steps):
        bent = normal(toward)
        stride = size / np.maximum((toward * bent).sum(axis=0), 1e-30)
        x += stride * toward
        left -= stride * bent
        eased = scale * left
        before, size = size, (left * eased).sum(axis=0)
        toward = eased + size / np.maximum(before, 1e-30) * toward
    return x
