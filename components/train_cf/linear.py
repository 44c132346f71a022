"""Item-to-item linear model in closed form: for each item a ridge regression on the items that tell most about it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse
from scipy.linalg.lapack import dposv

from components.common.config import Config
from components.train_cf.cooccurrence import CooccurrenceConfig, Pairs, Visits
from components.train_cf.export import write_neighbours
from components.train_cf.pruning import WORK, blocks_of, row_blocks, stacked, without_diagonal
from serving import kernels
from serving.arrays import Floats, Longs
from serving.members.history import HistoryWeights
from serving.members.linear import Linear
from serving.states import UserStates

DENSE = 6_000  # up to so many sources the Gram matrix is held whole: 144 MB
NEWEST = 300  # items of one history that are learned from, the newest: a robot's teach nothing

Doubles = npt.NDArray[np.float64]
Gather = Callable[[Longs], Doubles]


class LinearConfig(Config):
    """Numbers of the linear model; tuned per shop. Without a window an item is explained by the whole history."""

    reg: float = Field(default=200.0, gt=0, description="L2 weight of the coefficients")
    neighbours: int = Field(default=100, ge=1, description="items that each item is regressed on")
    sources: int = Field(default=DENSE, ge=1, description="items regressed on at all: those that most users met")
    window: int | None = Field(default=None, ge=1, description="explain what stands so many visits around; None: all")
    distance_power: float = Field(default=0.2, ge=0, description="window: d visits after count d^-this")
    backward: float = Field(default=0.4, ge=0, le=1, description="window: weight of what came before")
    half_life: float | None = Field(default=60.0, gt=0, description="asking: interest halves in so many days or visits")
    learning_half_life: float | None = Field(default=60.0, gt=0, description="learning: the same; None: never")


@dataclass(frozen=True)
class Normal:
    """The normal equations of all items: *gram* (s, s) of the sources, *cross* (n_items, s) row j of target j.

    sources: (s,) catalogue rows, ascending.
    """

    gram: sparse.csr_matrix
    cross: sparse.csr_matrix
    sources: Longs


class LinearTrainer:
    """B[:, j] = (G + reg I)^-1 c_j over the `neighbours` sources that alone explain item j best, never j itself.

    G = X'X, X the (users, items) matrix of decayed interest. c_j = X'x_j: the ridge regression of EASE, but at the
    price of items * neighbours^3 and not of items^3. With a window c_j counts what came before j, a visit d before
    weighing d^-a, and less what came after: the regression then predicts what comes next.
    """

    def __init__(self, config: LinearConfig, history: HistoryWeights) -> None:
        """Take the configuration and the clock of the shop's histories."""
        self.config = config
        self.history = history.model_copy(update={"half_life": config.half_life, "counted": False})
        self.learning = self.history.model_copy(update={"half_life": config.learning_half_life})

    def train(self, states: UserStates, visits: Visits, n_items: int) -> Linear:
        """Learn from the histories of all users, and from the order of their visits; items are below *n_items*."""
        met = np.bincount(states.items, minlength=n_items)
        normal = self.normal(states, visits, met)
        found = regress(normal, self.config.reg, self.config.neighbours)
        return Linear(found, met > 0, self.history)

    def normal(self, states: UserStates, visits: Visits, met: Longs) -> Normal:
        """The normal equations; *met*: (n_items,) users of each item."""
        sources = np.sort(np.argsort(-met, kind="stable")[: min(self.config.sources, np.count_nonzero(met))])
        newest = np.where(states.indptr[1:][states.row_of] - np.arange(len(states.items)) <= NEWEST, 1.0, 0.0)
        interest = states.matrix((self.learning.weights(states) * newest).astype(np.float32), len(met))
        if self.config.window is not None:
            length = np.sqrt(np.log2(np.maximum(states.sizes, 1) + 2)).astype(np.float32)
            interest = (sparse.diags(1 / length) @ interest).tocsr()
        known = interest[:, sources].tocsr()
        gram = stacked((block for _, block in row_blocks(known.T.tocsr(), known)), len(sources))
        if self.config.window is None:
            blocks = row_blocks(interest.T.tocsr(), interest)
            cross = stacked((without_diagonal(block, rows)[:, sources] for rows, block in blocks), len(sources))
        else:
            cross = self._around(visits, len(met))[sources].T.tocsr()
        return Normal(gram, cross, sources)

    def _around(self, visits: Visits, n_items: int) -> sparse.csr_matrix:
        """(n_items, n_items) how much of j came soon after i, and soon before."""
        config = self.config
        given = {name: getattr(config, name) for name in ("window", "distance_power", "backward", "learning_half_life")}
        pairs = Pairs(visits, CooccurrenceConfig(**given, visit_power=0.5, own_power=0.0, other_power=0.0))
        blocks = (
            without_diagonal(pairs.rows(start, end), np.arange(start, end))
            for start, end in blocks_of(pairs.work, WORK)
        )
        return stacked(blocks, n_items)

    def write(self, member: Linear, folder: Path) -> None:
        """Write the member's folder."""
        write_neighbours(folder, member, self.config)


def regress(normal: Normal, reg: float, neighbours: int) -> sparse.csr_matrix:
    """(n_items, n_items) coefficients: column j holds what each source tells of item j."""
    gather = gatherer(normal.gram)
    own = normal.gram.diagonal().astype(np.float64) + reg
    cross = normal.cross
    chosen, solved, sizes = [np.empty(0, np.int64)], [np.empty(0, np.float32)], [0]
    for item in range(cross.shape[0]):
        part = slice(cross.indptr[item], cross.indptr[item + 1])
        sources, told = _most_telling(cross.indices[part], cross.data[part], own, neighbours)
        chosen.append(normal.sources[sources])
        solved.append(_ridge(gather(sources), told, reg) if len(sources) else np.empty(0, np.float32))
        sizes.append(len(sources))
    shape = (cross.shape[0], cross.shape[0])
    by_target = sparse.csr_matrix((np.concatenate(solved), np.concatenate(chosen), np.cumsum(sizes)), shape=shape)
    return by_target.T.tocsr()


def _most_telling(sources: Longs, told: Floats, own: Doubles, neighbours: int) -> tuple[Longs, Doubles]:
    """The *neighbours* sources that alone take most off the loss, ascending, and their cross products."""
    order = np.argsort(sources[told > 0])
    sources, values = sources[told > 0][order].astype(np.int64), told[told > 0][order].astype(np.float64)
    gain = values**2 / own[sources]
    best = np.sort(np.argsort(-gain, kind="stable")[:neighbours])
    return sources[best], values[best]


def _ridge(gram: Doubles, cross: Doubles, reg: float) -> Floats:
    """(m,) coefficients; the Gram matrix is positive definite once *reg* stands on its diagonal."""
    gram.flat[:: len(gram) + 1] += reg
    _, found, _ = dposv(gram, cross)
    return np.asarray(found, dtype=np.float32)


def gatherer(gram: sparse.csr_matrix) -> Gather:
    """A function that gives the dense (m, m) part of *gram* at m ascending sources."""
    if gram.shape[0] <= DENSE:
        dense = gram.toarray()
        return lambda sources: dense[sources[:, None], sources].astype(np.float64)
    if kernels.there:
        return kernels.crossed((gram.indptr, gram.indices, gram.data))
    place, sizes = np.full(gram.shape[0], -1), np.diff(gram.indptr)

    def gather(sources: Longs) -> Doubles:
        place[sources] = np.arange(len(sources))
        size = sizes[sources]
        row = np.repeat(np.arange(len(sources)), size)
        entries = np.arange(len(row)) + np.repeat(gram.indptr[sources] - np.cumsum(size) + size, size)
        column = place[gram.indices[entries]]
        inside = column >= 0
        part = np.zeros((len(sources), len(sources)))
        part[row[inside], column[inside]] = gram.data[entries[inside]]
        place[sources] = -1
        return part

    return gather
