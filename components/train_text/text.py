"""Trains the text member on an encoder's vectors."""

from pathlib import Path

import numpy as np

from components.common.config import Config
from components.common.files import write_json
from components.common.prepared import Cut, Prepared
from components.train_text.holdout import Holdout, has_clock, hold_out, popularity
from components.train_text.pairs import pairs
from components.train_text.projection import ProjectionConfig, fit, principal
from serving.arrays import Floats, Ints
from serving.members.base import MEMBER_FILE
from serving.members.text import Text
from serving.queries import RECOMMEND, Queries


class TextConfig(Config):
    """What a user's interest is made of; one half-life and one prior are chosen on held-out training events."""

    half_lives: tuple[float, ...] = (2.0, 8.0, 60.0)  # visits
    prior_weights: tuple[float, ...] = (0.02, 0.06, 0.15)  # of log(1 + users), added to the cosine
    count_power: float = 0.5
    projection: ProjectionConfig = ProjectionConfig()


def distinct_rows(vectors: Floats) -> tuple[Floats, Ints]:
    """The distinct rows in order of first appearance, and for every row its place among them."""
    place: dict[bytes, int] = {}
    of_row = np.array([place.setdefault(row.tobytes(), len(place)) for row in vectors], dtype=np.int32)
    first = np.unique(of_row, return_index=True)[1]
    return vectors[first], of_row


class Trainer:
    """Chooses half-life, prior and projection by how a hold-out is ranked."""

    def __init__(self, vectors: Floats, held: Holdout, config: TextConfig) -> None:
        self.vectors, self.held, self.config = vectors, held, config
        self.documents, self.document_of = distinct_rows(vectors)
        self.popularity = np.log1p(held.popularity)

    def quality(self, projection: Floats, half_life: float, prior: float) -> float:
        """NDCG@10 of the hold-out."""
        weights = self.popularity * np.float32(prior)
        power = self.config.count_power
        member = Text(self.documents, self.document_of, projection, weights, half_life, power)
        return self.held.ndcg(member.score_all(Queries(RECOMMEND, self.held.states)))

    def train(self, seed: int) -> tuple[Floats, float, float]:
        """The projection, the half-life and the weight of the prior."""
        config = self.config
        half_life = config.half_lives[len(config.half_lives) // 2]
        prior = config.prior_weights[len(config.prior_weights) // 2]
        drawn = pairs(self.held.known, len(self.vectors), half_life, seed)
        projection = fit(
            self.vectors, drawn, lambda weight: self.quality(weight, half_life, prior), config.projection, seed
        )
        prior = max(config.prior_weights, key=lambda weight: self.quality(projection, half_life, weight))
        half_life = max(config.half_lives, key=lambda life: self.quality(projection, life, prior))
        return projection, half_life, prior


def train_text_member(
    prepared: Prepared, vectors: Floats, cut: Cut, out: Path, seed: int, config: TextConfig | None = None
) -> None:
    """Write the text member into *out*: the frozen encoder where nobody has a past to learn from.

    Args:
        prepared: the shop.
        vectors: (n_items, d) the encoder's, in catalogue order.
        cut: whose training events may be looked at.
        out: the member's folder.
        seed: draws users, pairs and batches.
        config: what to choose from.
    """
    config = config or TextConfig()
    held = hold_out(prepared, cut, seed)
    projection = principal(vectors, config.projection.embedding_size)
    half_life, prior = config.half_lives[0], 0.0
    if held is not None:
        projection, half_life, prior = Trainer(vectors, held, config).train(seed)
    documents, document_of = distinct_rows(vectors)
    popular = np.log1p(popularity(prepared.train(cut), len(prepared.items), has_clock(prepared)))
    arrays = {"vectors": documents, "document_of": document_of, "projection": projection}
    out.mkdir(parents=True, exist_ok=True)
    for name, array in (arrays | {"prior": (popular * prior).astype(np.float32)}).items():
        np.save(out / f"{name}.npy", array)
    chosen = {"half_life": half_life, "prior_weight": prior, "count_power": config.count_power}
    write_json(out / MEMBER_FILE, {"kind": "text", **chosen})
