"""The train_rules stage: complements and substitutes for every training of the run."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from components.common import columns as c
from components.common.files import write_text
from components.common.prepared import Cut, Prepared
from components.common.settings import Settings
from components.common.stage import progress
from components.train_rules.associations import AssociationsConfig, as_rules, associations
from components.train_rules.baskets import baskets
from components.train_rules.complements import ComplementsConfig, complements
from components.train_rules.given import given
from components.train_rules.pruned import write
from components.train_rules.substitutes import SubstitutesConfig, substitutes
from serving.arrays import Floats
from serving.members import kinds

TEXT_FILE = "text.npy"


def train_rules(prepared: Path, embeddings: Path, out: Path, seed: int, settings: str = "") -> None:
    """Write out/<cut.members>/{complements,substitutes} for every training; a member without evidence is left out.

    Args:
        prepared: a prepared folder, with the shop's own relations.parquet where it gave one.
        embeddings: folder with text.npy, (n_items, d) in catalogue order.
        out: folder to write.
        seed: written beside the arrays; nothing here is random.
        settings: see Settings.load; which members to leave out.
    """
    told = Settings.of_members(settings, kinds())
    shop = Prepared.load(prepared)
    vectors: Floats = np.load(embeddings / TEXT_FILE, allow_pickle=False)
    ids = shop.items[c.ITEM_ID].astype(str).tolist()
    own = {kind: given(prepared, kind, ids) for kind in ("complement", "substitute")}
    trainings = shop.split.trainings
    for done, cut in enumerate(trainings):
        bought = together(shop, cut)
        mined = {
            "complement": complements(bought, ComplementsConfig()),
            "substitute": similar_kind(shop, cut, vectors, bought),
        }
        for kind, related in mined.items():
            joined = (related + own[kind]).tocsr()
            if joined.nnz and told.wants(f"{kind}s"):
                write(joined, f"{kind}s", {"seed": seed}, out / cut.members / f"{kind}s")
        progress("train_rules", done + 1, len(trainings))


def mine_rules(prepared: Path, out: Path) -> int:
    """Write the surest association rules of the training baskets to *out*, as YAML; how many there are."""
    shop = Prepared.load(prepared)
    found = associations(together(shop, shop.split.test), AssociationsConfig())
    write_text(out, as_rules(found, shop.items[c.ITEM_ID].astype(str).tolist(), shop.items[c.TITLE].tolist()))
    return len(found)


def together(shop: Prepared, cut: Cut) -> sparse.csr_matrix:
    """(n_baskets, n_items) what was taken together in the training events that count as success."""
    train = shop.train(cut)
    return baskets(train[train[c.EVENT].isin(shop.split.target_events)], len(shop.items))


def similar_kind(shop: Prepared, cut: Cut, vectors: Floats, bought: sparse.csr_matrix) -> sparse.csr_matrix:
    """(n_items, n_items) substitutes by text, brand and behaviour."""
    items = shop.items
    return substitutes(
        vectors,
        items[c.CATEGORY].tolist(),
        items[c.BRAND].tolist(),
        _met(shop.train(cut), len(shop.users), len(items)),
        bought,
        SubstitutesConfig(),
    )


def _met(events: pd.DataFrame, n_users: int, n_items: int) -> sparse.csr_matrix:
    """(n_users, n_items) ones where a user met an item in any way: views count as much as purchases."""
    pairs = events[[c.USER, c.ITEM]].drop_duplicates()
    return sparse.csr_matrix(
        (np.ones(len(pairs), np.float32), (pairs[c.USER], pairs[c.ITEM])), shape=(n_users, n_items)
    )
