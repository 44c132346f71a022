"""A shop whose users take what their history tells and no member knows; its vectors can be turned."""

import numpy as np
import pandas as pd

from components.fuse.lists import Contexts, FitSet
from serving.catalogue import Catalogue
from serving.context import ContextReader
from serving.states import UserStates

NAMES = ("als", "text")
ITEMS, KINDS = 80, 8


def shop(n: int = 500, c: int = 30, seed: int = 0, turn: int = 0) -> FitSet:
    """Users take what is of the kind of their last item; the members know nothing of it. *turn* turns the vectors."""
    random = np.random.default_rng(seed)
    kind = np.arange(ITEMS) % KINDS
    around = np.linalg.qr(np.random.default_rng(turn).normal(size=(KINDS, KINDS)))[0]
    vectors = ((np.eye(KINDS)[kind] + 0.1) @ around).astype(np.float32)
    items = random.integers(0, ITEMS, n).astype(np.int32)
    times = np.arange(n, dtype=np.int64)
    states = UserStates(("",) * n, np.arange(n + 1), items, times, times, np.ones(n, np.float32), times + 1)
    frame = {"category": [""] * ITEMS, "brand": [""] * ITEMS, "price_norm": np.zeros(ITEMS, np.float32)}
    reader = ContextReader(Catalogue(pd.DataFrame(frame)), True, vectors)
    candidates = np.stack([random.choice(ITEMS, c, replace=False) for _ in range(n)]).astype(np.int32)
    scores = random.normal(size=(n, c, 2)).astype(np.float32)
    taste = scores[:, :, 0] + 3.0 * (kind[candidates] == kind[items][:, None]) + random.normal(size=(n, c))
    labels = np.zeros((n, c), np.float32)
    np.put_along_axis(labels, np.argsort(-taste, axis=1)[:, :3], 1, axis=1)
    contexts = Contexts(reader, states, candidates)
    return FitSet(NAMES, scores, np.ones((n, c), bool), labels, np.full(n, 3), np.arange(n), contexts)
