"""Known complements and substitutes, used as truth only: does the bundle or similar answer hold them?"""

from pathlib import Path

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.errors import ConfigError, DataError
from components.common.tables import canonical, read_table
from components.evaluate.relevance import Relevance
from serving.arrays import PAD
from serving.engine import Engine
from serving.queries import BUNDLE, SIMILAR
from serving.states import UserStates

K, BATCH = 20, 256
SCENARIO = {"complement": BUNDLE, "substitute": SIMILAR}


def read_relations(path: Path) -> pd.DataFrame:
    """Read a CSV or Parquet file of item_id, related_id, kind; rows with an empty cell say nothing.

    Raises:
        ConfigError: there is no such file.
        DataError: it cannot be read, a column is missing, or no row is a complement or a substitute.
    """
    if not path.is_file():
        raise ConfigError(f"--relations {path}: no such file. Check the path, or leave the option out.")
    table = canonical("relations", read_table(path), text=path.suffix == ".csv").dropna()
    if not table[c.KIND].isin(SCENARIO).any():
        found = f"{path.name}: kinds {sorted(table[c.KIND].unique())[:5]}"
        remedy = "Rename the kinds, or leave --relations out."
        raise DataError("relations", c.KIND, len(table), found, "rows of complement or substitute", remedy)
    return table


def judge_relations(engine: Engine, relations: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    """Mean recall@20 over anchor items, by kind; None where the release cannot answer or knows none of the pairs."""
    return {kind: {"recall@20": _recall(engine, relations[relations[c.KIND] == kind], kind)} for kind in SCENARIO}


def _recall(engine: Engine, pairs: pd.DataFrame, kind: str) -> float | None:
    scenario = SCENARIO[kind]
    truth = _truth(engine, pairs)
    can = any(scenario in member.scenarios for member in engine.members.values())
    if not len(truth) or not can or engine.fusion is None or scenario not in engine.fusion.tasks:
        return None
    shares = []
    for start in range(0, len(truth), BATCH):
        part = truth.take(np.arange(start, min(start + BATCH, len(truth))))
        states = UserStates.from_items([[int(anchor)] for anchor in part.users], engine.as_of)
        ranked = engine.rank(engine.pool(engine.queries(scenario, states), scenario), scenario, K)
        shares.append(part.holds(ranked.items).sum(axis=1) / part.counts)
    return float(np.concatenate(shares).mean())


def _truth(engine: Engine, pairs: pd.DataFrame) -> Relevance:
    """Related items of every anchor: `users` are the anchors' catalogue rows."""
    anchors, related = (engine.catalogue.index(list(pairs[name])) for name in (c.ITEM_ID, c.RELATED_ID))
    known = (anchors != PAD) & (related != PAD) & (anchors != related)
    size = len(engine.catalogue)
    codes, items = np.divmod(np.unique(anchors[known].astype(np.int64) * size + related[known]), max(size, 1))
    users, rows = np.unique(codes, return_inverse=True)
    return Relevance(users, rows.astype(np.int64), items.astype(np.int32), size)
