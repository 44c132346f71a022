"""Judged lists with planted answers, as the quality bench keeps them."""

import numpy as np

from benchmarks.quality.lists import Lists
from components.evaluate.relevance import Relevance

N, ITEMS = 900, 30
HIT, MISS = 0, 1  # every user wants item 0


def lists_of(hits: np.ndarray) -> np.ndarray:
    """One item per list: the wanted one where *hits*."""
    return np.where(hits, HIT, MISS).astype(np.int32)[:, None]


def planted(seed: int = 0, users: str = "u") -> Lists:
    """Fused finds what als finds, and a tenth more; text finds other users' items; popularity little."""
    draw = np.random.default_rng(seed)
    als, text = draw.random(N) < 0.4, draw.random(N) < 0.2
    fused = als | (draw.random(N) < 0.1)
    named = {
        "member/als": lists_of(als),
        "member/text": lists_of(text),
        "member/popularity": lists_of(draw.random(N) < 0.05),
        "method/voting": lists_of(text & als),
        "fused": lists_of(fused),
        "served/als": lists_of(text),
        "refit/als": lists_of(text | (draw.random(N) < 0.1)),
        "served/text": lists_of(als),
        "refit/text": lists_of(als),
        "without/cf": lists_of(text),
        "without/text": lists_of(fused),
    }
    relevance = Relevance(np.arange(N), np.arange(N), np.zeros(N, np.int32), ITEMS)
    names = np.array([f"{users}{number}" for number in range(N)])
    return Lists(names, relevance, np.arange(N) % 40, np.arange(ITEMS, dtype=np.int32), named)
