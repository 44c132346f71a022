"""Trains the members that go by what items look, sound or move like."""

from pathlib import Path

import numpy as np

from components.common import columns as c
from components.common.config import Config
from components.common.files import write_json
from components.common.prepared import Cut, Prepared
from components.train_text.holdout import Holdout, has_clock, hold_out, popularity
from components.train_text.pairs import pairs
from components.train_text.projection import ProjectionConfig, fit, principal
from components.train_text.sight import Sight, SightConfig, Words, head, learn, nothing
from serving.arrays import Floats, Longs
from serving.members.base import MEMBER_FILE
from serving.members.image import HEAD
from serving.members.seen import ARRAYS, Seen
from serving.members.text import unit
from serving.queries import RECOMMEND, Queries


class SeenConfig(Config):
    """What a user's interest is made of; one half-life and one prior are chosen on held-out training events."""

    embedding_size: int = 128
    half_lives: tuple[float, ...] = (2.0, 8.0, 60.0)  # visits
    prior_weights: tuple[float, ...] = (0.02, 0.06, 0.15)  # of log(1 + users), added to the cosine
    count_power: float = 0.5
    projection: ProjectionConfig = ProjectionConfig()
    sight: SightConfig = SightConfig()


def joint_photos(prepared: Prepared, photos: Floats, text: Floats, seed: int, config: SeenConfig) -> "Photos":
    """Photos beside the words they suggest: done once, for every training looks at the same catalogue.

    Args:
        prepared: the shop.
        photos: (n_items, d) the image encoder's, NaN without a photo.
        text: (n_items, e) the text encoder's.
        seed: divides the items, and of the networks.
        config: how.
    """
    items = prepared.items
    words = Words.of(items, text, config.sight)
    described = np.flatnonzero((items[[c.TITLE, c.DESCRIPTION]] != "").any(axis=1).to_numpy()).astype(np.int64)
    sight = learn(photos, words, described, seed, config.sight)
    joint = photos if sight is None else np.concatenate([photos, sight.suggested], axis=1) / np.float32(2**0.5)
    return Photos(photos, np.asarray(joint, dtype=np.float32), words, sight)


class Photos:
    """What was learned of the catalogue's photos.

    joint: (n_items, d or d + t) photos, beside what they suggest; NaN without a photo.
    """

    def __init__(self, photos: Floats, joint: Floats, words: Words, sight: Sight | None) -> None:
        self.photos, self.joint, self.words, self.sight = photos, joint, words, sight

    def write(self, projection: Floats, out: Path) -> None:
        """Write the arrays by which photos and words of questions are compared with the catalogue's photos."""
        encoded = self.words.directions.shape[1] if self.sight is not None else 0
        said = np.empty((len(self.photos), 0), np.float32)
        if self.sight is not None:
            said = unit(self.sight.suggested[:, -encoded:])
        layers = nothing(self.photos.shape[1]) if self.sight is None else self.sight.layers
        arrays = dict(zip(HEAD, (*layers, projection), strict=True))
        arrays |= {
            "shown": head(layers, projection).looks(self.photos),
            "said": said,
            "text_mean": self.words.mean,
            "text_directions": self.words.directions,
        }
        for name, array in arrays.items():
            np.save(out / f"{name}.npy", array)


def train_image_member(
    prepared: Prepared, photos: Photos, cut: Cut, out: Path, seed: int, config: SeenConfig | None = None
) -> None:
    """Write the image member into *out*."""
    photos.write(_train(prepared, "image", photos.joint, cut, out, seed, config or SeenConfig()), out)


def train_seen_member(
    prepared: Prepared, kind: str, vectors: Floats, cut: Cut, out: Path, seed: int, config: SeenConfig | None = None
) -> None:
    """Write a member that goes by *vectors* (n_items, d; NaN where an item has none) into *out*.

    Args:
        prepared: the shop.
        kind: image, audio or video.
        vectors: an encoder's, in catalogue order.
        cut: whose training events may be looked at.
        out: the member's folder.
        seed: draws users, pairs and batches.
        config: what to choose from.
    """
    _train(prepared, kind, vectors, cut, out, seed, config or SeenConfig())


def _train(
    prepared: Prepared, kind: str, vectors: Floats, cut: Cut, out: Path, seed: int, config: SeenConfig
) -> Floats:
    """As above; (d, p) the directions that were kept of the vectors."""
    known = ~np.isnan(vectors).any(axis=1)
    projection = principal(vectors[known], config.embedding_size)
    looks = unit(vectors @ projection)
    taste, half_life, prior = looks, config.half_lives[0], 0.0
    held = hold_out(prepared, cut, seed)
    if held is not None and known.any():
        taste, half_life, prior = _Trainer(looks, held, config).train(seed)
    popular = np.log1p(popularity(prepared.train(cut), len(prepared.items), has_clock(prepared)))
    arrays = dict(zip(ARRAYS, (looks, taste, (popular * prior).astype(np.float32)), strict=True))
    out.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(out / f"{name}.npy", array)
    chosen = {"half_life": half_life, "prior_weight": prior, "count_power": config.count_power}
    write_json(out / MEMBER_FILE, {"kind": kind, **chosen})
    return projection


class _Trainer:
    """Chooses half-life, prior and what is met together by how a hold-out is ranked."""

    def __init__(self, looks: Floats, held: Holdout, config: SeenConfig) -> None:
        self.looks, self.held, self.config = looks, held, config
        self.filled = np.nan_to_num(looks)
        self.popularity = np.log1p(held.popularity)

    def train(self, seed: int) -> tuple[Floats, float, float]:
        """(n_items, q) tastes, the half-life and the weight of the prior."""
        config = self.config
        half_life = config.half_lives[len(config.half_lives) // 2]
        prior = config.prior_weights[len(config.prior_weights) // 2]
        drawn = pairs(self.held.known[self._shown()], len(self.looks), half_life, seed)
        if not len(drawn.targets):
            return self.looks, half_life, prior
        weight = fit(self.filled, drawn, lambda one: self._quality(one, half_life, prior), config.projection, seed)
        prior = max(config.prior_weights, key=lambda value: self._quality(weight, half_life, value))
        half_life = max(config.half_lives, key=lambda value: self._quality(weight, value, prior))
        return (self.looks @ weight).astype(np.float32), half_life, prior

    def _shown(self) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        """Events of items that have a vector."""
        items: Longs = self.held.known[c.ITEM].to_numpy(dtype=np.int64)
        return np.asarray(~np.isnan(self.looks[items, 0]))

    def _quality(self, weight: Floats, half_life: float, prior: float) -> float:
        """NDCG@10 of the hold-out."""
        wanted = (self.popularity * prior).astype(np.float32)
        member = Tried(self.looks, self.looks @ weight, wanted, half_life, self.config.count_power)
        return self.held.ndcg(member.score_all(Queries(RECOMMEND, self.held.states)))


class Tried(Seen):
    """The scorer that serves, over numbers that are being tried."""

    kind = "tried"
