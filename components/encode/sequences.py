"""Clips and sounds to vectors: what all steps show together, beside what a recurrent network reads in their order."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from torch import nn

from components.encode.clips import BANDS, FRAMES, STEPS, frames, log_mel
from components.encode.files import Progress, Read, content_of, read_all
from components.encode.recurrent import FrameReader, RecurrentConfig, SoundReader, read, train_reader
from components.encode.small_cnn import learnable
from serving.arrays import Floats, Longs
from serving.image_encoder import ImageEncoder

MOST_CLIP_BYTES, MOST_SOUND_BYTES = 64 << 20, 32 << 20
FRAME_SIZE = 64  # directions of a frame's vector that are read: the widest
PIECE = 512  # files whose steps are held at once
FEWEST = 2


@dataclass(frozen=True)
class Kind:
    """How one kind of file becomes steps: (most, width) of a path, NaN after the last; what reads them."""

    name: str
    shape: tuple[int, int]
    steps: Callable[[str], Floats]
    reader: Callable[[int], nn.Module]


def clips(encoder: ImageEncoder) -> Kind:
    """Frames, each as the network of the photos sees it."""

    def steps(path: str) -> Floats:
        pictures = frames(content_of(path, MOST_CLIP_BYTES), encoder.spec.side)
        return _padded(encoder.encode(pictures)[:, :width], FRAMES)

    width = min(FRAME_SIZE, encoder.spec.dims)
    return Kind("frames", (FRAMES, width), steps, partial(FrameReader, width))


def sounds() -> Kind:
    """Log-mel pictures."""

    def steps(path: str) -> Floats:
        return _padded(log_mel(content_of(path, MOST_SOUND_BYTES)), STEPS)

    return Kind("log-mel", (STEPS, BANDS), steps, partial(SoundReader, BANDS))


def encode_sequences(
    paths: Sequence[str], labels: Longs, kind: Kind, seed: int, progress: Progress | None = None
) -> tuple[Read, str] | None:
    """Encode all files of one kind.

    Args:
        paths: n files, '' where an item has none.
        labels: (n,) the items' categories, -1 without one: what the reader learns.
        kind: of file.
        seed: draws what is learned from, weights and batches.
        progress: told (files done, files to do) of each piece.

    Returns:
        (n, d) rows of length one, NaN for items without a usable file, and the version of what encoded them; None
        where there are fewer than FEWEST.
    """
    config = RecurrentConfig()
    there = np.flatnonzero(np.array([bool(path) for path in paths]))
    drawn = np.sort(np.random.default_rng(seed).permutation(there)[: config.most_items])
    sample = read_all([paths[row] for row in drawn], kind.shape, kind.steps, progress).vectors
    usable = ~np.isnan(sample[:, 0, 0])
    if usable.sum() < FEWEST:
        return None
    scale = Scale.of(sample[usable])
    reader = _learned(kind, scale.of_steps(sample[usable]), labels[drawn[usable]], seed, config)
    pieces, passed_over = [], Counter[str]()
    for start in range(0, len(paths), PIECE):
        found = read_all(paths[start : start + PIECE], kind.shape, kind.steps, progress)
        pieces.append(_vectors(found.vectors, scale, reader))
        passed_over += found.passed_over
    return Read(np.concatenate(pieces), passed_over), _version(kind, scale, reader)


@dataclass(frozen=True)
class Scale:
    """Mean and spread of each of the width numbers of a step, and of their means and spreads over a file's steps."""

    mean: Floats
    spread: Floats
    mean_whole: Floats
    spread_whole: Floats

    @classmethod
    def of(cls, steps: Floats) -> "Scale":
        """Of (n, most, width) steps."""
        mean, spread = np.nanmean(steps, axis=(0, 1)), np.nanstd(steps, axis=(0, 1))
        whole = _whole(steps)
        parts = (mean, np.maximum(spread, 1e-6), whole.mean(axis=0), np.maximum(whole.std(axis=0), 1e-6))
        return cls(*(part.astype(np.float32) for part in parts))

    def of_steps(self, steps: Floats) -> Floats:
        """*steps*, standardised."""
        scaled: Floats = ((steps - self.mean) / self.spread).astype(np.float32)
        return scaled

    def of_whole(self, steps: Floats) -> Floats:
        """(n, 2 * width) rows of length one: what the steps are together, standardised."""
        return _unit((_whole(steps) - self.mean_whole) / self.spread_whole)


def _whole(steps: Floats) -> Floats:
    parts = [np.nanmean(steps, axis=1), np.nanstd(steps, axis=1)]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _learned(kind: Kind, steps: Floats, labels: Longs, seed: int, config: RecurrentConfig) -> nn.Module | None:
    """None where there are not two categories to tell apart."""
    number = learnable(labels, config.least_items)
    rows = np.flatnonzero(number >= 0)
    if number.max(initial=-1) < 1:
        return None
    return train_reader(kind.reader, steps[rows], number[rows], seed, config)


def _vectors(steps: Floats, scale: Scale, reader: nn.Module | None) -> Floats:
    """(n, d); NaN where the steps are."""
    known = np.flatnonzero(~np.isnan(steps[:, 0, 0]))
    parts = [scale.of_whole(steps[known])]
    if reader is not None:
        parts.append(read(reader, scale.of_steps(steps[known])))
    width = 2 * steps.shape[2] + (RecurrentConfig().embedding_size if reader is not None else 0)
    vectors = np.full((len(steps), width), np.nan, dtype=np.float32)
    vectors[known] = _unit(np.concatenate(parts, axis=1))
    return vectors


def _version(kind: Kind, scale: Scale, reader: nn.Module | None) -> str:
    parts = [value.numpy() for value in reader.state_dict().values()] if reader is not None else []
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in [*vars(scale).values(), *parts]))
    return f"{kind.name} {digest.hexdigest()[:12]}"


def _padded(steps: Floats, most: int) -> Floats:
    out = np.full((most, steps.shape[1]), np.nan, dtype=np.float32)
    out[: len(steps)] = steps
    return out


def _unit(rows: Floats) -> Floats:
    scaled: Floats = (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)).astype(np.float32)
    return scaled
