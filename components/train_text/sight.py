"""What photos say in words: a small network from a photo's vector to the vectors of its item's text.

It is what lets a photo be compared with words and, beside the photo itself, with other photos: two shirts that look
unlike suggest the same word. An item's own text never teaches the network that reads its photo (the items are divided,
and each part is read by a network of the others), so that an item with a text is placed like one that has only a photo.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from torch import nn
from torch.nn import functional

from components.common.config import Config
from components.train_text.projection import principal
from components.train_text.tfidf import TfidfConfig, documents, terms_of, vocabulary
from serving.arrays import Floats, Longs
from serving.members.image import Head
from serving.members.text import unit


class SightConfig(Config):
    """How the network is learned."""

    hidden_size: int = 512
    text_size: int = 128  # directions of each view of a text: its terms, its encoding
    power: float = 0.25  # directions of the encoding are divided by their variance to this power
    folds: int = 5
    epochs: int = 15
    batch_size: int = 256
    learning_rate: float = 1e-3
    reg: float = 1e-2  # decay of the weights
    dropout: float = 0.2
    most_items: int = 20_000  # that one network learns from
    fewest_items: int = 100  # with a photo and a text; with fewer nothing is learned


@dataclass(frozen=True)
class Words:
    """Texts as a photo's network is to suggest them, and how an encoded query becomes comparable.

    targets: (n, t) rows of length one: terms, then encodings. mean: (e,), directions: (e, m) of the encodings.
    """

    targets: Floats
    mean: Floats
    directions: Floats

    @classmethod
    def of(cls, items: pd.DataFrame, text: Floats, config: SightConfig) -> "Words":
        """From the catalogue's columns and its (n, e) encoded texts."""
        mean = text.mean(axis=0, dtype=np.float64).astype(np.float32)
        directions = _directions(text - mean, config)
        encoded = unit((text - mean) @ directions)
        return cls(unit(np.hstack([unit(_terms(items, config)), encoded])), mean, directions)


@dataclass(frozen=True)
class Sight:
    """suggested: (n, t) of every photo by a network that has not seen its text, NaN without a photo; layers of one
    network that has seen all."""

    suggested: Floats
    layers: tuple[Floats, Floats, Floats, Floats]


def learn(photos: Floats, words: Words, described: Longs, seed: int, config: SightConfig) -> Sight | None:
    """Learn from *photos* (n, d), NaN where there is none, of the items *described* by a text.

    Returns:
        None where too few items have both.
    """
    known = np.asarray(~np.isnan(photos).any(axis=1))
    both = described[known[described]]
    if len(both) < config.fewest_items:
        return None
    fold = np.random.default_rng(seed).permutation(len(photos)) % config.folds
    suggested = np.full((len(photos), words.targets.shape[1]), np.nan, dtype=np.float32)
    for part in range(config.folds):
        layers = _fit(photos, words.targets, both[fold[both] != part], seed, config)
        rows = np.flatnonzero(known & (fold == part))
        suggested[rows] = head(layers).suggested(photos[rows])
    return Sight(suggested, _fit(photos, words.targets, both, seed, config))


def head(layers: tuple[Floats, Floats, Floats, Floats], projection: Floats | None = None) -> Head:
    """The layers as serving runs them."""
    return Head(*layers, np.empty((0, 0), np.float32) if projection is None else projection)


def nothing(dims: int) -> tuple[Floats, Floats, Floats, Floats]:
    """The layers of a network that suggests nothing."""
    shapes = ((dims, 0), (0,), (0, 0), (0,))
    first, second, third, fourth = (np.empty(shape, np.float32) for shape in shapes)
    return first, second, third, fourth


def _fit(
    photos: Floats, targets: Floats, rows: Longs, seed: int, config: SightConfig
) -> tuple[Floats, Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(rows)[: config.most_items])
    given = torch.from_numpy(photos[rows] * np.float32(photos.shape[1] ** 0.5))
    wanted = torch.from_numpy(targets[rows])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        first = nn.Linear(photos.shape[1], config.hidden_size)
        second = nn.Linear(config.hidden_size, targets.shape[1])
        optimiser = torch.optim.AdamW(
            [*first.parameters(), *second.parameters()], config.learning_rate, weight_decay=config.reg
        )
        for _ in range(config.epochs):
            for batch in torch.split(torch.randperm(len(rows)), config.batch_size):
                inner = functional.dropout(functional.relu(first(given[batch])), config.dropout)
                loss = 1 - functional.cosine_similarity(second(inner), wanted[batch]).mean()
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
    layers = (first.weight.T, first.bias, second.weight.T, second.bias)
    a, b, c, d = (np.ascontiguousarray(layer.detach().numpy()) for layer in layers)
    return a, b, c, d


def _directions(centred: Floats, config: SightConfig) -> Floats:
    found = principal(centred, config.text_size)
    spread = np.maximum((centred @ found).var(axis=0, dtype=np.float64), 1e-12)
    return np.asarray(found / spread**config.power, dtype=np.float32)


def _terms(items: pd.DataFrame, config: SightConfig) -> Floats:
    """(n, <= text_size) the items' TF-IDF documents along their principal directions."""
    tokens = terms_of(items)
    terms = vocabulary(tokens, TfidfConfig())
    if not terms:
        return np.zeros((len(items), 0), np.float32)
    rows, document_of, _ = documents(tokens, terms)
    held = rows[document_of]
    return np.asarray(held @ _right_vectors(held, config.text_size), dtype=np.float32)


def _right_vectors(matrix: sparse.csr_matrix, size: int, rounds: int = 6) -> Floats:
    """(terms, k) principal directions by repeated multiplication from a fixed start: the same on every run."""
    size = min(size, *matrix.shape)
    basis = np.random.default_rng(0).standard_normal((matrix.shape[1], size)).astype(np.float32)
    for _ in range(rounds):
        basis, _ = np.linalg.qr(np.asarray(matrix.T @ (matrix @ basis)))
    return basis
