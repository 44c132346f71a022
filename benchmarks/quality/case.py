"""A case: what a peer may know of one cut of a prepared shop, as plain arrays that need nothing of this project.

Files of a case, all arrays loadable without pickle:

- `train.npz`: users, items (int32), weight (float32), at (int64 µs), visit (int32); one row per user, visit and item
  of what members may learn from.
- `history.npz`: the same columns; what is known of the asked users at the cut.
- `asked.npz`: users (n,); for discovery also seen_indptr, seen_indices: the items to hide from each, as CSR.
- `inner.npz`: a hold-out inside the training data, for tuning: the columns of what may be learned there, asked (n,),
  relevant_indptr, relevant_indices, and for discovery seen_indptr, seen_indices.
- `items.npz`: category (n_items,) int32, -1 where an item has none.
- `case.json`: name, task, protocol, n_users, n_items, seed, clock, as_of, inner_as_of (µs).
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.common import columns as c
from components.common.config import Effort
from components.common.errors import ConfigError
from components.common.files import write_json
from components.common.prepared import Cut, Prepared, visit_items
from components.evaluate.relevance import relevant
from components.train_cf.histories import clock_of, now_of
from components.train_cf.tuning import USERS, hold_out
from serving.arrays import Ints, Longs
from serving.queries import DISCOVERY, NEXT_BASKET

CASE_FILE = "case.json"
LEVELS = 2  # of the category path that make a group
EFFORT: Effort = "fast"  # how many users the hold-out draws

Arrays = dict[str, npt.NDArray[Any]]


def write_case(prepared: Path, cut: str, task: str, out: Path) -> None:
    """Write the case of one cut and task; the users asked are those of `relevant(shop, cut, task)`, in that order.

    Args:
        prepared: a folder that the stage `prepare` wrote.
        cut: name of one of its cuts.
        task: `discovery` or `next_basket`.
        out: the folder of the case; its name is the case's.

    Raises:
        ConfigError: no such cut or task.
    """
    shop = Prepared.load(prepared)
    chosen = _cut(shop, cut)
    if task not in (DISCOVERY, NEXT_BASKET):
        raise ConfigError(f"write_case: found task {task!r}, expected {DISCOVERY} or {NEXT_BASKET}.")
    out.mkdir(parents=True, exist_ok=True)
    visits = visit_items(shop.history(chosen), shop.shop)
    asked = relevant(shop, chosen, task).users
    visits = visits[np.isin(visits[c.USER].to_numpy(), asked)]
    inner, inner_as_of = _inner(shop, chosen, task)
    np.savez(out / "train.npz", allow_pickle=False, **_columns(visit_items(shop.train(chosen), shop.shop)))
    np.savez(out / "history.npz", allow_pickle=False, **_columns(visits))
    np.savez(out / "asked.npz", allow_pickle=False, users=asked, **_seen(visits, asked, len(shop.items), task))
    np.savez(out / "inner.npz", allow_pickle=False, **inner)
    np.savez(out / "items.npz", allow_pickle=False, category=_categories(shop.items))
    facts = {"name": out.name, "task": task, "cut": cut, "protocol": shop.split.protocol, "seed": shop.split.seed}
    sizes = {"n_users": len(shop.users), "n_items": len(shop.items), "n_asked": len(asked)}
    clock = {"clock": clock_of(shop), "as_of": now_of(shop, chosen), "inner_as_of": inner_as_of}
    write_json(out / CASE_FILE, facts | sizes | clock)


def _cut(shop: Prepared, name: str) -> Cut:
    cuts = {cut.name: cut for cut in shop.split.cuts}
    if name not in cuts:
        raise ConfigError(f"write_case: found cut {name!r}, expected one of {', '.join(cuts)}.")
    return cuts[name]


def _inner(shop: Prepared, cut: Cut, task: str) -> tuple[Arrays, int]:
    """What `hold_out` holds back of the training events: the project's own members are tuned on the same."""
    held = hold_out(shop, cut, EFFORT, shop.split.seed)
    n_items = len(shop.items)
    row = [c.USER, c.VISIT, c.ITEM]
    both = visit_items(shop.train(cut), shop.shop)[row].merge(held.visits[row], how="left", indicator=True)
    came = np.unique(_keys(both[both["_merge"] == "left_only"], n_items))
    if task == DISCOVERY:
        came = np.setdiff1d(came, _keys(held.visits, n_items))
    known = np.intersect1d(came // n_items, held.visits[c.USER].to_numpy(np.int64))
    users = np.sort(np.random.default_rng(shop.split.seed).permutation(known)[: USERS[EFFORT]])
    came = came[np.isin(came // n_items, users)]
    visits = held.visits[np.isin(held.visits[c.USER].to_numpy(), users)]
    answers = _csr("relevant", came, users, n_items)
    return {**_columns(held.visits), "asked": users, **answers, **_seen(visits, users, n_items, task)}, held.as_of


def _columns(visits: pd.DataFrame) -> Arrays:
    return {
        "users": visits[c.USER].to_numpy(np.int32),
        "items": visits[c.ITEM].to_numpy(np.int32),
        "weight": visits["weight"].to_numpy(np.float32),
        "at": visits["at"].to_numpy(np.int64),
        "visit": visits[c.VISIT].to_numpy(np.int32),
    }


def _seen(visits: pd.DataFrame, users: Longs, n_items: int, task: str) -> Arrays:
    """The items each of *users* has met, where they are to be hidden."""
    return _csr("seen", np.unique(_keys(visits, n_items)), users, n_items) if task == DISCOVERY else {}


def _csr(name: str, pairs: Longs, users: Longs, n_items: int) -> Arrays:
    """Ascending user · n_items + item of *pairs* as rows of the sorted *users*."""
    sizes = np.bincount(np.searchsorted(users, pairs // n_items), minlength=len(users))
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return {f"{name}_indptr": starts, f"{name}_indices": (pairs % n_items).astype(np.int32)}


def _keys(visits: pd.DataFrame, n_items: int) -> Longs:
    keys: Longs = visits[c.USER].to_numpy(np.int64) * n_items + visits[c.ITEM].to_numpy(np.int64)
    return keys


def _categories(items: pd.DataFrame) -> Ints:
    """(n_items,) code of the first levels of each item's category path; -1 without one."""
    if c.CATEGORY not in items:
        return np.full(len(items), -1, dtype=np.int32)
    paths = items[c.CATEGORY].fillna("").astype(str).str.split(c.CATEGORY_SEPARATOR).str[:LEVELS]
    names = paths.str.join(c.CATEGORY_SEPARATOR)
    codes = pd.factorize(names.where(names != ""), sort=True)[0]
    return np.asarray(codes, dtype=np.int32)
