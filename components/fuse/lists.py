"""What weights are learned from: lists of candidates with every member's scores and what turned out relevant."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.common.ranking import gains
from serving.arrays import Bools, Floats, Longs
from serving.calibration import FEATURES, MISSING, RRF, TOP, VALUE, features

USED = (VALUE, RRF, TOP, MISSING)  # what learned methods weigh; voting has features of its own
CHUNK = 512


@dataclass(frozen=True)
class FitSet:
    """n lists of at most c candidates, K members.

    scores: (n, c, K), NaN = not scored. valid: (n, c), False is padding. labels: (n, c) relevance, 0/1 or grades.
    n_relevant: (n,) relevant items, those not recalled included. groups: (n,) lists of one group (a user, a query)
    are never divided between fitting and judging.
    """

    members: tuple[str, ...]
    scores: Floats
    valid: Bools
    labels: Floats
    n_relevant: Longs
    groups: Longs

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, rows: npt.NDArray[np.intp]) -> "FitSet":
        """The lists *rows*."""
        return FitSet(
            self.members,
            self.scores[rows],
            self.valid[rows],
            self.labels[rows],
            self.n_relevant[rows],
            self.groups[rows],
        )

    def chunks(self, rows: npt.NDArray[np.intp]) -> Iterator[tuple[npt.NDArray[np.intp], Floats]]:
        """Pieces of *rows* with their (n, c, K, F) features, never all at once."""
        for start in range(0, len(rows), CHUNK):
            piece = rows[start : start + CHUNK]
            yield piece, features(self.scores[piece], self.valid[piece])


@dataclass(frozen=True)
class Lists:
    """The lists that teach: those with something relevant among their candidates.

    x: (n, c, K, len(USED)) float32. gain: (n, c) float32, 2^grade - 1. valid: (n, c). groups: (n,).
    """

    members: tuple[str, ...]
    x: Floats
    gain: Floats
    valid: Bools
    groups: Longs

    @classmethod
    def of(cls, sets: Sequence[FitSet], max_rows: int, seed: int) -> "Lists":
        """Collect the teaching lists of several sets; past *max_rows* candidates, a seeded choice of them."""
        teaching = [np.flatnonzero(((fit.labels > 0) & fit.valid).any(axis=1)) for fit in sets]
        chosen = _cap(teaching, [fit.scores.shape[1] for fit in sets], max_rows, seed)
        parts = [_part(fit, rows) for fit, rows in zip(sets, chosen, strict=True)]
        width = max(part.shape[1] for part, *_ in parts)
        x, gain, valid, groups = (np.concatenate([_pad(p[i], width) for p in parts]) for i in range(4))
        return cls(sets[0].members, x, gain, valid, groups)

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: npt.NDArray[np.intp] | Bools) -> "Lists":
        """The lists *rows*."""
        return Lists(self.members, self.x[rows], self.gain[rows], self.valid[rows], self.groups[rows])

    def drop(self, member: str) -> "Lists":
        """The same lists with one member absent."""
        keep = [column for column, name in enumerate(self.members) if name != member]
        names = tuple(self.members[column] for column in keep)
        return Lists(names, self.x[:, :, keep], self.gain, self.valid, self.groups)

    def flat(self, columns: Sequence[int] | None = None) -> tuple[Floats, Floats]:
        """(N, K) calibrated values of all candidates of the members *columns* (all), and (N,) gains."""
        x = self.x[..., 0] if columns is None else self.x[..., 0][:, :, list(columns)]
        return x[self.valid], self.gain[self.valid]


def _part(fit: FitSet, rows: npt.NDArray[np.intp]) -> tuple[Floats, Floats, Bools, Longs]:
    pieces = [np.ascontiguousarray(feats[..., list(USED)]) for _, feats in fit.chunks(rows)]
    c, k = fit.scores.shape[1:]
    x = np.concatenate(pieces) if pieces else np.empty((0, c, k, len(USED)), np.float32)
    gain = np.where(fit.valid[rows], gains(fit.labels[rows]), 0).astype(np.float32)
    return x, gain, fit.valid[rows], fit.groups[rows]


def _pad(array: npt.NDArray[np.generic], width: int) -> npt.NDArray[np.generic]:
    if array.ndim == 1 or array.shape[1] == width:
        return array
    more = [(0, 0), (0, width - array.shape[1]), *[(0, 0)] * (array.ndim - 2)]
    return np.pad(array, more)


def _cap(
    teaching: list[npt.NDArray[np.intp]], widths: list[int], max_rows: int, seed: int
) -> list[npt.NDArray[np.intp]]:
    total = sum(len(rows) * width for rows, width in zip(teaching, widths, strict=True))
    if total <= max_rows:
        return teaching
    random = np.random.default_rng(seed)
    keep = max_rows / total
    return [np.sort(random.choice(rows, size=int(len(rows) * keep), replace=False)) for rows in teaching]


def table(rows: npt.NDArray[np.floating], used: Sequence[int]) -> tuple[tuple[float, ...], ...]:
    """(K, len(used)) weights as a blend's K rows of all features."""
    wide = np.zeros((len(rows), len(FEATURES)))
    wide[:, list(used)] = rows
    return tuple(map(tuple, wide.tolist()))
