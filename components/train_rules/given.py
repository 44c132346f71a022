"""The shop's own relations, as the strongest evidence."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from components.common import columns as c

RELATIONS_FILE = "relations.parquet"
OWN = 1.0  # added to what is mined, which is at most 1


def given(folder: Path, kind: str, item_ids: list[str]) -> sparse.csr_matrix:
    """(n_items, n_items) OWN where the shop says so.

    Args:
        folder: a prepared folder; the table may be absent. Ids outside the catalogue are left out.
        kind: "complement" or "substitute".
        item_ids: ids in catalogue order.
    """
    n_items = len(item_ids)
    if not (folder / RELATIONS_FILE).is_file():
        return sparse.csr_matrix((n_items, n_items), dtype=np.float32)
    table = pd.read_parquet(folder / RELATIONS_FILE)
    table = table[table[c.KIND] == kind]
    index = pd.Index(item_ids)
    pairs = np.stack([index.get_indexer(pd.Index(table[name].astype(str))) for name in (c.ITEM_ID, c.RELATED_ID)])
    anchor, related = np.unique(pairs[:, (pairs >= 0).all(axis=0) & (pairs[0] != pairs[1])], axis=1)
    values = np.full(len(anchor), OWN, dtype=np.float32)
    return sparse.csr_matrix((values, (anchor, related)), shape=(n_items, n_items))
