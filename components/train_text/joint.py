"""Joins texts and photos into one representation, smoothed over the catalogue: once, for every training."""

from pathlib import Path

import numpy as np

from components.common.config import Config
from components.common.files import write_json
from components.train_text.projection import principal
from components.train_text.sight import Words
from serving.arrays import PAD, Floats, Ints, top_k
from serving.members.base import MEMBER_FILE
from serving.members.joint import BLOCKS, Joint
from serving.members.text import unit
from serving.queries import SIMILAR, Queries
from serving.states import UserStates

BATCH = 256


class JointConfig(Config):
    """What text and photo are worth, and over how many neighbours an item is smoothed."""

    text_share: float = 0.5
    pictured_share: float = 0.5  # of the text's part: what photo it suggests
    reg: float = 1.0  # of the map from texts to photos
    folds: int = 5
    fewest_items: int = 100  # with a text and a photo; with fewer no map is learned
    embedding_size: int = 256  # directions of the photos
    neighbours: int = 10  # 0: nothing is smoothed
    power: float = 3.0  # of a neighbour's likeness: its weight
    most_items: int = 50_000  # a larger catalogue is not smoothed: the work grows with its square


def joint_blocks(words: Words, photos: Floats, seed: int, config: JointConfig) -> tuple[Floats, Floats]:
    """The blocks of text and photo, each item's moved towards its nearest neighbours by both.

    Half of a text is what photo it suggests: words that show in photos count for more than words that do not. And
    neighbours that show the same thing in other words, or from another side, share what they say and look like: the
    mean of several is steadier than any of them.

    Args:
        words: (n_items, t) targets, zeros for an item without a known word.
        photos: (n_items, d) rows of length one, NaN without a photo.
        seed: divides the items.
        config: how.
    """
    known = np.asarray(~np.isnan(photos).any(axis=1))
    looks = unit(photos @ principal(photos[known], config.embedding_size))
    said = words.targets.copy()
    said[np.linalg.norm(said, axis=1) == 0] = np.nan
    suggested = pictured(said, looks, seed, config)
    if suggested is not None:
        share = np.float32(config.pictured_share**0.5), np.float32((1 - config.pictured_share) ** 0.5)
        said = np.concatenate([share[0] * suggested, share[1] * said], axis=1)
    blocks = (said, looks)
    if not config.neighbours or len(photos) > config.most_items:
        return blocks
    nearest, weights = _neighbours(Joint(blocks, _shares(config)), config)
    return _smoothed(blocks[0], nearest, weights), _smoothed(blocks[1], nearest, weights)


def pictured(said: Floats, looks: Floats, seed: int, config: JointConfig) -> Floats | None:
    """(n_items, p) of length one: the photo that an item's text suggests, by a ridge regression over other items.

    The items are divided, and each part is read by a map of the others, as in `sight`: no item's own photo is in it.

    Args:
        said: (n_items, t) rows of length one, NaN without a text; such rows stay NaN.
        looks: (n_items, p) likewise of photos.
        seed: divides the items.
        config: how.

    Returns:
        None where too few items have both.
    """
    texts = np.asarray(~np.isnan(said).any(axis=1))
    both = texts & ~np.isnan(looks).any(axis=1)
    if both.sum() < config.fewest_items or not config.pictured_share:
        return None
    fold = np.random.default_rng(seed).permutation(len(said)) % config.folds
    found = np.full_like(looks, np.nan)
    for part in range(config.folds):
        learned, read = both & (fold != part), texts & (fold == part)
        mean, weight = _ridge(said[learned], looks[learned], config.reg)
        found[read] = unit((said[read] - mean) @ weight)
    return found


def _ridge(given: Floats, wanted: Floats, reg: float) -> tuple[Floats, Floats]:
    """The mean (t,) of *given* (n, t) and the map (t, p) from there to *wanted* (n, p) without its mean."""
    mean = given.mean(axis=0)
    centred = (given - mean).astype(np.float64)
    inner = centred.T @ centred + reg * np.eye(centred.shape[1])
    return mean, np.linalg.solve(inner, centred.T @ (wanted - wanted.mean(axis=0))).astype(np.float32)


def write_joint_member(blocks: tuple[Floats, Floats], out: Path, config: JointConfig) -> None:
    """Write the joint member into *out*."""
    out.mkdir(parents=True, exist_ok=True)
    for name, block in zip(BLOCKS, blocks, strict=True):
        np.save(out / f"{name}.npy", block)
    write_json(out / MEMBER_FILE, {"kind": "joint", "shares": dict(zip(BLOCKS, _shares(config), strict=True))})


def _shares(config: JointConfig) -> tuple[float, float]:
    return config.text_share, 1 - config.text_share


def _neighbours(member: Joint, config: JointConfig) -> tuple[Ints, Floats]:
    """(n, k) rows of the likest items, each item itself the first, -1 after the last; their weights, 0 there."""
    rows, weights = [], []
    n = len(member.blocks[0])
    for start in range(0, n, BATCH):
        own = np.arange(start, min(start + BATCH, n))
        scores = member.score_all(Queries(SIMILAR, UserStates.from_items([[int(row)] for row in own], 0)))
        scores[np.arange(len(own)), own] = 1
        best = top_k(scores, config.neighbours)
        likeness = np.take_along_axis(np.nan_to_num(scores), np.maximum(best, 0), axis=1)
        rows.append(best)
        weights.append(np.where(best == PAD, 0, np.maximum(likeness, 0) ** config.power))
    return np.concatenate(rows), np.concatenate(weights).astype(np.float32)


def _smoothed(block: Floats, nearest: Ints, weights: Floats) -> Floats:
    """Means of the neighbours that have the block; NaN stays where an item has not."""
    filled, out = np.nan_to_num(block), np.empty_like(block)
    for start in range(0, len(block), BATCH):
        part = slice(start, start + BATCH)
        out[part] = np.einsum("nk,nkd->nd", weights[part], filled[np.maximum(nearest[part], 0)])
    smooth = unit(out)
    smooth[np.isnan(block).any(axis=1)] = np.nan
    return smooth
