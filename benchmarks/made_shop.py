"""A shop of any size with members, a blend of every kind and histories, all drawn from one seed: nothing is trained.

What its members say means nothing. What a request costs depends on how many numbers they hold, and those are as many
as training makes: 64 factors, 50 neighbours of an item, 300 trees of 8 leaves, 3 networks of 16 units; attributes are
the category's path, brand and band of the price. Users have favourite kinds of items, and vectors lie by kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from components.common import columns as c
from components.common.config import ShopConfig
from components.common.moments import DAY
from components.package.index import index_of, questions
from serving.arrays import Bools, Floats, Ints, Longs
from serving.attention import SEEN, VIEWS, Attention, Net
from serving.blend import FEATURES, Blend, Fusion, TaskFusion
from serving.catalogue import Catalogue
from serving.context import CONTEXT
from serving.engine import Engine
from serving.gate import Gate
from serving.members.als import Als
from serving.members.attributes import Attributes
from serving.members.base import Member
from serving.members.cooccurrence import Cooccurrence
from serving.members.dense import Dense
from serving.members.history import HistoryWeights
from serving.members.item_knn import ItemKnn
from serving.members.pca import Pca
from serving.members.popularity import Popularity
from serving.opinion import LARGE
from serving.states import UserStates
from serving.trees import Tree, Trees, columns_of

AS_OF = 1_700_000_000_000_000
FACTORS, NEIGHBOURS, KINDS = 64, 50, 500  # kinds of items: row modulo KINDS
SPREAD = 0.25  # of the log length of factors: then an index finds as little as it does of trained ones (0017)
TOPS, MIDS, BRANDS, CARRIED, BANDS = 8, 60, 500, 8, 8  # brands of all, of one kind; bands of the price
HISTORY = 30  # items that a user has met, on average
FAVOURITES, LOYAL = 5, 0.8  # kinds of a user, and the share of the history in them
UNITS, TREES, LEAVES, NETS, HIDDEN, DEPTH = 40, 300, 8, 3, 16, 50
MEASURED = 200  # users on whom indexes are measured when they are made
TASKS = ("discovery", "next_basket", "similar", "bundle")


@dataclass(frozen=True)
class MadeUsers:
    """A port to histories in memory."""

    users: UserStates

    def states(self, user_ids: Sequence[str], as_of: int | None) -> UserStates:
        """The histories of users named by their numbers, seen from *as_of*."""
        found = self.users.take(np.array([int(user) for user in user_ids], dtype=np.int64))
        found.as_of[:] = AS_OF if as_of is None else as_of
        return found


def made_engine(n_items: int, seed: int = 0) -> Engine:
    """An engine over *n_items* with six members; recommend is blended by gate, trees and networks."""
    rng = np.random.default_rng(seed)
    catalogue, members = _catalogue(n_items, rng), _members(n_items, rng)
    if n_items >= LARGE:
        users = made_users(n_items, MEASURED, seed + 2).users
        for member in members.values():
            if isinstance(member, Dense):
                member.index = index_of(member, questions(member, users, seed), seed)
    engine = Engine(catalogue, ShopConfig(), members)
    engine.fusion = _fusion(tuple(sorted(engine.members)), rng)
    engine.as_of = AS_OF
    return engine


def made_users(n_items: int, n_users: int, seed: int = 1) -> MadeUsers:
    """Histories of *n_users*, of 2 to 2 * HISTORY items, the popular ones more often."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 2 * HISTORY, n_users)
    items = [_met(n_items, size, rng) for size in sizes]
    order = [rng.permutation(row) for row in items]
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in order])]).astype(np.int64)
    ages = [np.sort(rng.integers(0, 180, len(row)))[::-1] for row in order]
    last = AS_OF - np.concatenate(ages).astype(np.int64) * DAY
    counts = rng.integers(1, 4, indptr[-1]).astype(np.float32)
    names = tuple(str(number) for number in range(n_users))
    first = last - (counts > 1) * 14 * DAY
    return MadeUsers(
        UserStates(names, indptr, np.concatenate(order), last, first, counts, np.full(n_users, AS_OF, dtype=np.int64))
    )


def _met(n_items: int, size: int, rng: np.random.Generator) -> Ints:
    """Distinct items that one user has met, most of them of a few kinds."""
    item = (rng.random(size) ** 2 * n_items).astype(np.int32)
    favourite = rng.integers(0, KINDS, FAVOURITES)[rng.integers(0, FAVOURITES, size)]
    own = np.minimum(item - item % KINDS + favourite, n_items - 1)
    return np.unique(np.where(rng.random(size) < LOYAL, own, item)).astype(np.int32)


def _catalogue(n_items: int, rng: np.random.Generator) -> Catalogue:
    leaf, brand, price = _kinds(n_items), _brands(n_items), _prices(n_items)
    paths = np.array(
        [f"top{kind % TOPS}{c.CATEGORY_SEPARATOR}mid{kind % MIDS}{c.CATEGORY_SEPARATOR}{kind}" for kind in range(KINDS)]
    )
    brands = np.array([f"brand {number}" for number in range(BRANDS)])
    return Catalogue(
        pd.DataFrame(
            {
                c.ITEM_ID: np.char.add("i", np.arange(n_items).astype(str)),
                c.TITLE: "",
                c.CATEGORY: paths[leaf],
                c.BRAND: brands[brand],
                c.PRICE: price,
                c.PRICE_NORM: (np.log(price) - 2).astype(np.float32),
                c.AVAILABLE: rng.random(n_items) < 0.98,
            }
        )
    )


def _kinds(n_items: int) -> Longs:
    return np.arange(n_items) % KINDS


def _brands(n_items: int) -> Longs:
    """A kind is made by CARRIED brands, a brand makes a few kinds."""
    rng = np.random.default_rng(n_items)
    return (_kinds(n_items) * 3 + rng.integers(0, CARRIED, n_items)) % BRANDS


def _prices(n_items: int) -> npt.NDArray[np.float64]:
    return np.random.default_rng(n_items + 1).lognormal(2, 1, n_items)


def _attributes(n_items: int) -> sparse.csr_matrix:
    """The three levels of the category, the brand and the band of the price."""
    kind, brand, price = _kinds(n_items), _brands(n_items), _prices(n_items)
    band = np.searchsorted(np.quantile(price, np.arange(1, BANDS) / BANDS), price)
    parts = (kind % TOPS, kind % MIDS, kind, brand, band)
    starts = np.cumsum([0, TOPS, MIDS, KINDS, BRANDS])
    indices = np.stack([part + start for part, start in zip(parts, starts, strict=True)], axis=1).astype(np.int32)
    held = len(parts)
    data = np.full(indices.size, held**-0.5, dtype=np.float32)
    indptr = np.arange(0, indices.size + 1, held)
    return sparse.csr_matrix((data, indices.ravel(), indptr), shape=(n_items, TOPS + MIDS + KINDS + BRANDS + BANDS))


def made_als(n_items: int, seed: int = 0) -> Als:
    """One member of such a shop by itself, without an index."""
    rng = np.random.default_rng(seed)
    return Als(_vectors(n_items, rng), np.ones(n_items, dtype=bool), HistoryWeights(half_life=30.0), 10.0, 1.0)


def _members(n_items: int, rng: np.random.Generator) -> dict[str, Member]:
    known: Bools = np.ones(n_items, dtype=bool)
    history = HistoryWeights(half_life=30.0)
    popular = np.sort(rng.exponential(2, n_items).astype(np.float32))[::-1].copy()
    attributes = _attributes(n_items)
    transitions = rng.random((attributes.shape[1],) * 2, dtype=np.float32)
    return {
        "als": Als(_vectors(n_items, rng), known, history, 10.0, 1.0),
        "attributes": Attributes(attributes, transitions, 0.1 * popular, 5.0, 0.5),
        "cooccurrence": Cooccurrence(_sparse(n_items, n_items, NEIGHBOURS, rng), known, history),
        "item_knn": ItemKnn(_sparse(n_items, n_items, NEIGHBOURS, rng), known, history),
        "pca": Pca(
            _vectors(n_items, rng),
            np.linspace(1, 0.1, FACTORS, dtype=np.float32),
            np.ones(n_items, np.float32),
            np.ones(n_items, np.float32),
            known,
            history,
        ),
        "popularity": Popularity(popular),
    }


def _vectors(n_items: int, rng: np.random.Generator) -> Floats:
    """By kind, and long for what is popular."""
    centres = rng.normal(size=(KINDS, FACTORS)).astype(np.float32)
    found = centres[_kinds(n_items)]
    found += rng.standard_normal((n_items, FACTORS), dtype=np.float32)
    length = np.sort(rng.lognormal(np.log(0.1), SPREAD, n_items))[::-1]
    found *= length[:, None].astype(np.float32)
    return found


def _sparse(rows: int, columns: int, each: int, rng: np.random.Generator) -> sparse.csr_matrix:
    indices = rng.integers(0, columns, (rows, each), dtype=np.int32)
    indices.sort(axis=1)
    data = rng.random(rows * each, dtype=np.float32)
    return sparse.csr_matrix((data, indices.ravel(), np.arange(0, rows * each + 1, each)), shape=(rows, columns))


def _fusion(members: tuple[str, ...], rng: np.random.Generator) -> Fusion:
    weights = rng.random((len(members), len(FEATURES)))
    plain = Blend(kind="made", members=members, weights=_rows(weights))
    whole = Blend(
        kind="made",
        members=members,
        weights=_rows(weights),
        gate=_gate(members, rng),
        trees=_trees(members, rng),
        attention=_attention(members, rng),
        reach=0.5,
    )
    blends = {task: whole if task in TASKS[:2] else plain for task in TASKS}
    return Fusion(tasks={task: TaskFusion(chosen="made", methods={"made": blend}) for task, blend in blends.items()})


def _gate(members: tuple[str, ...], rng: np.random.Generator) -> Gate:
    size, width = len(CONTEXT), len(members) * len(FEATURES)
    return Gate(
        inputs=CONTEXT,
        center=(0.0,) * size,
        scale=(1.0,) * size,
        hidden=_rows(0.2 * rng.normal(size=(UNITS, size + 1))),
        activation="tanh",
        out=_rows(0.02 * rng.normal(size=(UNITS, width))),
    )


def _trees(members: tuple[str, ...], rng: np.random.Generator) -> Trees:
    return Trees(members=members, depth=DEPTH, trees=tuple(_tree(len(columns_of(members)), rng) for _ in range(TREES)))


def _tree(columns: int, rng: np.random.Generator) -> Tree:
    """Whole, three conditions deep."""
    nodes = LEAVES - 1
    below = [(2 * node + 1, 2 * node + 2) for node in range(nodes)]
    left, right = zip(
        *[tuple(child if child < nodes else nodes - 1 - child for child in pair) for pair in below], strict=True
    )
    return Tree(
        feature=tuple(rng.integers(0, columns, nodes).tolist()),
        threshold=tuple(rng.normal(0.5, 0.5, nodes).tolist()),
        left=left,
        right=right,
        values=tuple((0.01 * rng.normal(size=nodes)).tolist()),
        leaves=tuple((0.01 * rng.normal(size=LEAVES)).tolist()),
    )


def _attention(members: tuple[str, ...], rng: np.random.Generator) -> Attention:
    columns = len(columns_of(members))
    width = columns + len(members) + SEEN
    nets = [
        Net(
            temperature=(1.0, 3.0, 9.0),
            fade=((-0.1, 0.2),) * VIEWS,
            hidden=_rows(0.1 * rng.normal(size=(HIDDEN, width + 1))),
            out=tuple((0.1 * rng.normal(size=HIDDEN + 1)).tolist()),
        )
        for _ in range(NETS)
    ]
    return Attention(members=members, depth=DEPTH, center=(0.0,) * columns, scale=(1.0,) * columns, nets=tuple(nets))


def _rows(values: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in values.tolist())
