"""What a smaller release would lose: the lists of the fit windows, ranked with the members as trained and smaller.

The test window has no part in it. The blend has learned its weights on these very lists, which flatters both sides.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import sparse

from components.common import columns as c
from components.common.config import Config, Smaller
from components.common.moments import microseconds
from components.common.prepared import Cut, Prepared, visit_items
from components.common.ranking import Doubles, ndcg_at
from components.package.smaller import make_smaller
from serving.arrays import Longs, gather
from serving.blend import Fusion
from serving.catalogue import Catalogue
from serving.engine import Engine
from serving.pool import Pool
from serving.queries import DISCOVERY, NEXT_BASKET, RECOMMEND
from serving.states import UserStates

SPARE = 0.001  # of the blend's NDCG@10 that a smaller release may lose, in each task
FEWEST, MOST = 100, 2_000  # lists of a task to judge by; users of a cut
K, BATCH = 10, 128
TASKS = (DISCOVERY, NEXT_BASKET)
FUSED = "fused"
Values = dict[str, dict[str, Doubles]]  # by task and by member, or FUSED: (n,) NDCG@10 of the lists


class Loss(Config):
    """Mean NDCG@10 of n lists, before and after; lost: the share of it; error: the standard error of that share."""

    lists: int
    before: float
    after: float
    lost: float
    error: float

    @classmethod
    def of(cls, before: Doubles, after: Doubles) -> "Loss":
        """Of the same lists (n,), NaN where nothing was relevant."""
        known = ~(np.isnan(before) | np.isnan(after))
        gone, mean = (before - after)[known], float(before[known].mean()) if known.any() else 0.0
        if mean <= 0:
            return cls(lists=int(known.sum()), before=mean, after=mean, lost=0.0, error=0.0)
        error = float(gone.std()) / mean / len(gone) ** 0.5
        return cls(
            lists=len(gone), before=mean, after=float(after[known].mean()), lost=float(gone.mean()) / mean, error=error
        )


@dataclass(frozen=True)
class Trial:
    """What one way to make a release smaller loses. losses: by task and by member, or FUSED."""

    losses: dict[str, dict[str, Loss]]

    @property
    def why_not(self) -> str:
        """Why it is not taken; empty: it is."""
        fused = {task: found[FUSED] for task, found in self.losses.items()}
        if not fused or min(loss.lists for loss in fused.values()) < FEWEST:
            counts = ", ".join(f"{task} {loss.lists}" for task, loss in fused.items()) or "none"
            return f"too few lists to judge by: {counts}; {FEWEST} of each task expected"
        worst, loss = max(fused.items(), key=lambda pair: pair[1].lost)
        if loss.lost > SPARE:
            return f"{worst} loses {loss.lost:.2%} of NDCG@{K}, {SPARE:.1%} allowed"
        return ""


def tried(shop: Prepared, families: Sequence[Path], fusion: Fusion, how: Smaller, cuts: Sequence[Cut]) -> Trial:
    """Rank the lists of *cuts* with the members that know nothing of them, as they are and made smaller.

    Args:
        shop: the prepared shop.
        families: the families' folders, each with <cut.members>/<member>/.
        fusion: the blend that serves.
        how: the way to make them smaller.
        cuts: whose targets are relevant.
    """
    found: list[tuple[Values, Values]] = []
    for cut in cuts:
        folders = folders_of(families, cut)
        with tempfile.TemporaryDirectory() as scratch:
            small = _copied(folders, Path(scratch))
            make_smaller(small, how)
            engines = engine_of(shop, folders, fusion), engine_of(shop, [small], fusion)
            found.append((worth(shop, engines[0], cut), worth(shop, engines[1], cut)))
    return compared(found)


def compared(found: Sequence[tuple[Values, Values]]) -> Trial:
    """The losses between what was *found* before and after, of some cuts, by task."""
    tasks = [task for task in TASKS if any(task in before and task in after for before, after in found)]
    return Trial({task: _losses(task, found) for task in tasks})


def folders_of(families: Sequence[Path], cut: Cut) -> list[Path]:
    """Where the members are that answer *cut*."""
    return [family / cut.members for family in families]


def engine_of(shop: Prepared, folders: list[Path], fusion: Fusion) -> Engine:
    """The members in *folders* under the blends *fusion*."""
    return Engine.assemble(Catalogue(shop.items), shop.shop, folders, None, fusion)


def worth(shop: Prepared, engine: Engine, cut: Cut) -> Values:
    """NDCG@10 of the lists of *cut* by the members of *engine* and by its blend of each task."""
    found: Values = {}
    for task, states, taken in lists_of(shop, engine, cut):
        found[task] = _ranked(engine, states, taken, task)
    return found


def lists_of(shop: Prepared, engine: Engine, cut: Cut) -> Iterator[tuple[str, UserStates, sparse.csr_matrix]]:
    """Of each task that *engine* blends: who is asked, and (n, n_items) what they took; nothing where nobody is."""
    if engine.fusion is None or not any(RECOMMEND in member.scenarios for member in engine.members.values()):
        return
    asked = _asked(shop, cut)
    for task in TASKS:
        states, taken = _of_task(*asked, task)
        if task in engine.fusion.tasks and len(states):
            yield task, states, taken


def _losses(task: str, found: Sequence[tuple[Values, Values]]) -> dict[str, Loss]:
    """Of the lists of all cuts that the task has, by what all of them know."""
    pairs = [(before[task], after[task]) for before, after in found if task in before and task in after]
    names = set.intersection(*(set(before) & set(after) for before, after in pairs))
    joined = {name: [np.concatenate([pair[side][name] for pair in pairs]) for side in (0, 1)] for name in names}
    return {name: Loss.of(*joined[name]) for name in sorted(names)}


def _copied(folders: list[Path], out: Path) -> Path:
    for folder in folders:
        if folder.exists():
            shutil.copytree(folder, out, dirs_exist_ok=True)
    return out


def _asked(shop: Prepared, cut: Cut) -> tuple[UserStates, sparse.csr_matrix]:
    """At most MOST users who took something in *cut*: what was known of them, and (n, n_items) what they took."""
    target = shop.target(cut)
    target = target[target[c.ITEM] >= 0].drop_duplicates([c.USER, c.ITEM])
    users = np.unique(target[c.USER].to_numpy())
    users = np.sort(np.random.default_rng(shop.split.seed).permutation(users)[:MOST]).astype(np.int64)
    history = shop.history(cut)
    visits = visit_items(history[(history[c.ITEM] >= 0) & history[c.USER].isin(users)], shop.shop)
    states = UserStates.from_visits(visits, users, _moments(shop, cut, users))
    profiles = tuple(shop.users[c.PROFILE].iloc[users]) if c.PROFILE in shop.users else ()
    own = target[target[c.USER].isin(users)]
    places = np.searchsorted(users, own[c.USER].to_numpy()), own[c.ITEM].to_numpy()
    taken = sparse.csr_matrix((np.ones(len(own), np.float32), places), shape=(len(users), len(shop.items)))
    return replace(states, profiles=profiles), taken


def _moments(shop: Prepared, cut: Cut, users: Longs) -> Longs:
    """(n,) µs when each is asked: the cut's own moment, or where every user has one, that of what is held out."""
    if cut.as_of is not None:
        return np.full(len(users), cut.as_of, dtype=np.int64)
    target = shop.target(cut)
    first = dict(zip(target[c.USER], microseconds(target[c.TIMESTAMP]), strict=True))
    return np.array([first[user] for user in users.tolist()], dtype=np.int64)


def _of_task(states: UserStates, taken: sparse.csr_matrix, task: str) -> tuple[UserStates, sparse.csr_matrix]:
    """Only what counts for the task: discovery forgets what the user had met; users left with nothing go."""
    if task == DISCOVERY:
        met = states.matrix(np.ones(len(states.items), np.float32), taken.shape[1]).astype(bool)
        taken = sparse.csr_matrix(taken - taken.multiply(met))
        taken.eliminate_zeros()
    rows = np.flatnonzero(np.diff(taken.indptr))
    return states.take(rows.astype(np.int64)), taken[rows]


def _ranked(engine: Engine, states: UserStates, taken: sparse.csr_matrix, task: str) -> dict[str, Doubles]:
    parts: dict[str, list[Doubles]] = {}
    for rows, pool in pools(engine, states, task):
        lists = {name: items[:, :K] for name, items in pool.channels.items()}
        lists[FUSED] = engine.rank(pool, task, K).items
        wanted = taken[rows]
        for name, items in lists.items():
            labels = np.nan_to_num(gather(wanted.toarray(), items))
            parts.setdefault(name, []).append(ndcg_at(labels, np.diff(wanted.indptr), K))
    return {name: np.concatenate(values) for name, values in parts.items()}


def pools(engine: Engine, states: UserStates, task: str) -> Iterator[tuple[Longs, Pool]]:
    """What *engine* recalls for all of *states*, some rows at a time."""
    for start in range(0, len(states), BATCH):
        rows = np.arange(start, min(start + BATCH, len(states)))
        yield rows, engine.pool(engine.queries(RECOMMEND, states.take(rows)), task)
