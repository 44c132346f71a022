"""Lists of a planted shop where the member to trust depends on the user's history, and scoring by a gated blend."""

import numpy as np

from components.common.ranking import ndcg_at
from components.fuse.lists import USED, Lists
from serving.blend import Blend
from serving.calibration import features
from serving.context import CONTEXT

NAMES = ("als", "popularity", "noise")
HISTORY = CONTEXT.index("history")
MIDDLE = 2.0  # below: popularity knows; from here: als does


def planted(n: int = 400, c: int = 30, seed: int = 0, apart: float = 3.0) -> Lists:
    """Two relevant items a list, the best by a hidden taste; the wrong member for a history sees it *apart* noisier."""
    random = np.random.default_rng(seed)
    history = random.uniform(0, 2 * MIDDLE, size=n)
    taste = random.normal(size=(n, c))
    long = (history >= MIDDLE)[:, None]
    noise = np.stack([np.where(long, 0.4, apart), np.where(long, apart, 0.4), np.full((n, 1), 50.0)], axis=2)
    scores = (taste[:, :, None] + random.normal(size=(n, c, 3)) * noise).astype(np.float32)
    context = np.zeros((n, c, len(CONTEXT)), dtype=np.float32)
    context[:, :, HISTORY] = history[:, None]
    context[:, :, CONTEXT.index("price")] = random.normal(size=(n, c))
    gain = np.zeros((n, c), dtype=np.float32)
    np.put_along_axis(gain, np.argsort(-taste, axis=1)[:, :2], 1, axis=1)
    return lists_of(scores, gain, context)


def lists_of(scores: np.ndarray, gain: np.ndarray, context: np.ndarray, moments: bool = True) -> Lists:
    """Lists whose candidates are all valid, each a group of its own."""
    valid = np.ones(gain.shape, dtype=bool)
    x = np.ascontiguousarray(features(scores, valid)[..., list(USED)])
    names = NAMES[: scores.shape[2]]
    return Lists(
        members=names,
        x=x,
        gain=gain,
        valid=valid,
        groups=np.arange(len(gain)),
        scores=scores,
        context=context,
        moments=moments,
        windows=np.zeros(len(gain), dtype=np.int64),
    )


def contributions(blend: Blend, lists: Lists) -> np.ndarray:
    """(n, c, K) by the definition: features times the weights that the context gives."""
    extra = 0.0 if blend.gate is None else blend.gate.extra(lists.context).astype(np.float64)
    parts: np.ndarray = (features(lists.scores, lists.valid) * (blend.table + extra)).sum(axis=3)
    return parts


def ndcg(blend: Blend, lists: Lists) -> float:
    """Mean NDCG@10."""
    order = np.argsort(-contributions(blend, lists).sum(axis=2), axis=1, kind="stable")
    labels = np.take_along_axis(lists.gain, order, axis=1)
    return float(ndcg_at(labels, (lists.gain > 0).sum(axis=1), 10).mean())
