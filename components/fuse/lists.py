"""What weights are learned from: lists of candidates with every member's scores and what turned out relevant."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.ranking import gains
from serving.arrays import PAD, Bools, Floats, Ints, Longs
from serving.calibration import FEATURES, MISSING, RRF, TOP, VALUE
from serving.context import ContextReader
from serving.evidence import Evidence
from serving.states import UserStates
from serving.traces import Traces

USED = (VALUE, RRF, TOP, MISSING)  # what learned methods weigh; voting has features of its own
CHUNK = 512
HEAD = 200  # candidates a list teaches with: those that the members together rank best


@dataclass(frozen=True)
class Contexts:
    """Where the context of a fit set's lists comes from: read when it is needed, never held whole.

    reader: of the catalogue. states: n users. candidates: (n, c) catalogue rows, -1 is padding.
    """

    reader: ContextReader
    states: UserStates
    candidates: Ints

    def take(self, rows: npt.NDArray[np.intp]) -> "Contexts":
        """The lists *rows*."""
        return Contexts(self.reader, self.states.take(rows.astype(np.int64)), self.candidates[rows])

    def read(self, rows: npt.NDArray[np.intp]) -> Floats:
        """(len(rows), c, G) context of the lists *rows*."""
        return self.reader.read(self.states.take(rows.astype(np.int64)), self.candidates[rows])

    def traces(self, rows: npt.NDArray[np.intp]) -> Traces | None:
        """What the users of the lists *rows* did last, beside the candidates."""
        return self.reader.traces(self.states.take(rows.astype(np.int64)), self.candidates[rows])


@dataclass(frozen=True)
class FitSet:
    """n lists of at most c candidates, K members.

    scores: (n, c, K), NaN = not scored. valid: (n, c), False is padding. labels: (n, c) relevance, 0/1 or grades.
    n_relevant: (n,) relevant items, those not recalled included. groups: (n,) lists of one group (a user, a query)
    are never divided between fitting and judging. contexts: None where nothing is known of the moment.
    """

    members: tuple[str, ...]
    scores: Floats
    valid: Bools
    labels: Floats
    n_relevant: Longs
    groups: Longs
    contexts: Contexts | None = None

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
            None if self.contexts is None else self.contexts.take(rows),
        )

    def of(self, names: Sequence[str]) -> "FitSet":
        """The same lists as the members *names* alone see them."""
        if tuple(names) == self.members:
            return self
        columns = [self.members.index(name) for name in names]
        scores = self.scores[:, :, columns]
        return FitSet(tuple(names), scores, self.valid, self.labels, self.n_relevant, self.groups, self.contexts)

    def chunks(self, rows: npt.NDArray[np.intp]) -> Iterator[tuple[npt.NDArray[np.intp], Evidence]]:
        """Pieces of *rows* with what a blend sees of them, never all at once."""
        for start in range(0, len(rows), CHUNK):
            piece = rows[start : start + CHUNK]
            yield piece, self.evidence(piece)

    def evidence(self, rows: npt.NDArray[np.intp]) -> Evidence:
        """What a blend sees of the lists *rows*."""
        if self.contexts is None:
            return Evidence.without_context(self.members, self.scores[rows], self.valid[rows])
        moment = self.contexts.read(rows), self.contexts.traces(rows)
        return Evidence(self.members, self.scores[rows], self.valid[rows], *moment)


@dataclass(frozen=True)
class Lists:
    """The lists that teach: those with something relevant among the candidates that the members rank best.

    Far down a list nothing can be learned for its top, and what is relevant there only pulls the weights astray.

    x: (n, c, K, len(USED)) float32. gain: (n, c) float32, 2^grade - 1. valid: (n, c). groups: (n,).
    scores: (n, c, K) raw. context: (n, c, G). moments: is anything known of the moment, or is the context all zeros.
    windows: (n,) of which set they are. traces: what the users did last; None: nothing is known.
    """

    members: tuple[str, ...]
    x: Floats
    gain: Floats
    valid: Bools
    groups: Longs
    scores: Floats
    context: Floats
    moments: bool
    windows: Longs
    traces: Traces | None = None

    @classmethod
    def of(cls, sets: Sequence[FitSet], max_rows: int, seed: int) -> "Lists":
        """Collect the teaching lists of several sets; past *max_rows* candidates, a seeded choice of them."""
        teaching = [np.flatnonzero(((fit.labels > 0) & fit.valid).any(axis=1)) for fit in sets]
        chosen = _cap(teaching, [min(fit.scores.shape[1], HEAD) for fit in sets], max_rows, seed)
        parts = [_part(fit, rows, number) for number, (fit, rows) in enumerate(zip(sets, chosen, strict=True))]
        width = max(part.x.shape[1] for part in parts)
        joined = {
            name: np.concatenate([_pad(getattr(part, name), width, fill) for part in parts])
            for name, fill in {"x": 0, "gain": 0, "valid": 0, "groups": 0, "scores": np.nan, "context": 0}.items()
        }
        traces = [part.traces for part in parts if part.traces is not None]
        return cls(
            sets[0].members,
            **joined,
            moments=all(part.moments for part in parts),
            windows=np.concatenate([part.windows for part in parts]),
            traces=_join(traces, width) if len(traces) == len(parts) else None,
        )

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: npt.NDArray[np.intp] | Bools) -> "Lists":
        """The lists *rows*."""
        return Lists(
            self.members,
            self.x[rows],
            self.gain[rows],
            self.valid[rows],
            self.groups[rows],
            self.scores[rows],
            self.context[rows],
            self.moments,
            self.windows[rows],
            None if self.traces is None else self.traces.take(rows),
        )

    def drop(self, member: str) -> "Lists":
        """The same lists with one member absent."""
        keep = [column for column, name in enumerate(self.members) if name != member]
        names = tuple(self.members[column] for column in keep)
        x, scores = self.x[:, :, keep], self.scores[:, :, keep]
        return replace(self, members=names, x=x, scores=scores)

    def evidence(self) -> Evidence:
        """What a blend sees of all lists."""
        return Evidence(self.members, self.scores, self.valid, self.context, self.traces)

    def flat(self, columns: Sequence[int] | None = None) -> tuple[Floats, Floats]:
        """(N, K) calibrated values of all candidates of the members *columns* (all), and (N,) gains."""
        x = self.x[..., 0] if columns is None else self.x[..., 0][:, :, list(columns)]
        return x[self.valid], self.gain[self.valid]


def _part(fit: FitSet, rows: npt.NDArray[np.intp], window: int) -> Lists:
    pieces = [_head(fit, piece, evidence) for piece, evidence in fit.chunks(rows)] or [
        _head(fit, rows, fit.evidence(rows))
    ]
    order, x, gain, valid, groups, scores, context = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    traces = None if fit.contexts is None else fit.contexts.traces(rows)
    lists = Lists(
        fit.members, x, gain, valid, groups, scores, context, fit.contexts is not None, np.full(len(x), window),
        None if traces is None else traces.of_places(order),
    )  # fmt: skip
    return lists.take(np.flatnonzero((gain > 0).any(axis=1)))


def _head(fit: FitSet, rows: npt.NDArray[np.intp], evidence: Evidence) -> tuple[npt.NDArray[Any], ...]:
    """The columns of the `HEAD` candidates with the highest sum of reciprocal ranks, in the order they stand in."""
    votes = np.where(evidence.valid, evidence.features[..., RRF].sum(axis=2), np.float32(-1))
    order = np.sort(np.argsort(-votes, axis=1, kind="stable")[:, :HEAD], axis=1)

    def of(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.take_along_axis(values, order.reshape(*order.shape, *[1] * (values.ndim - 2)), axis=1)

    valid = of(evidence.valid)
    gain = np.where(valid, gains(of(fit.labels[rows])), 0).astype(np.float32)
    x = np.stack([of(evidence.features[..., feature]) for feature in USED], axis=3)
    return order, x, gain, valid, fit.groups[rows], of(evidence.scores), of(evidence.context)


def _join(parts: Sequence[Traces], width: int) -> Traces:
    return Traces.join([replace(part, candidates=_pad(part.candidates, width, PAD)) for part in parts])


def _pad(array: npt.NDArray[Any], width: int, fill: float) -> npt.NDArray[Any]:
    if array.ndim == 1 or array.shape[1] == width:
        return array
    more = [(0, 0), (0, width - array.shape[1]), *[(0, 0)] * (array.ndim - 2)]
    return np.pad(array, more, constant_values=fill)


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
