"""Item-by-item matrices kept to each row's strongest entries, and as files."""

from pathlib import Path

import numpy as np
from scipy import sparse

from components.common.files import write_json
from serving.arrays import Floats, Ints, Longs, top_k
from serving.members.base import MEMBER_FILE


def strongest(block: Floats, k: int) -> tuple[Ints, Ints, Floats]:
    """Rows, columns and values of the k highest entries above 0 of each row of a dense block."""
    chosen = top_k(np.where(block > 0, block, -np.inf), k)
    rows, places = np.nonzero(chosen >= 0)
    columns = chosen[rows, places]
    return rows.astype(np.int32), columns, block[rows, columns]


def strongest_of(rows: Longs, columns: Ints, values: Floats, k: int) -> tuple[Ints, Ints, Floats]:
    """The k highest of each row's entries, ties by the lower column, of entries above 0 by row and column."""
    order = np.lexsort((columns, -values, rows))
    order = order[values[order] > 0]
    own = rows[order]
    first = np.searchsorted(own, own)  # where the entries of its row begin
    order = order[np.arange(len(order)) - first < k]
    return rows[order].astype(np.int32), columns[order].astype(np.int32), values[order]


def assemble(parts: list[tuple[Ints, Ints, Floats]], n_items: int) -> sparse.csr_matrix:
    """Parts of (rows, columns, values) as one (n_items, n_items) float32 matrix, scaled to at most 1."""
    rows, columns, values = (
        np.concatenate([part[at] for part in parts]) if parts else np.empty(0, np.float32) for at in range(3)
    )
    scaled = (values / max(values.max(initial=0.0), 1e-12)).astype(np.float32)
    related = sparse.csr_matrix((scaled, (rows.astype(np.int64), columns.astype(np.int64))), shape=(n_items, n_items))
    related.sort_indices()
    return related


def write(related: sparse.csr_matrix, kind: str, numbers: dict[str, float], out: Path) -> None:
    """Write a relations member: member.json and the matrix as three arrays."""
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "data.npy", related.data.astype(np.float32))
    np.save(out / "indices.npy", related.indices.astype(np.int32))
    np.save(out / "indptr.npy", related.indptr.astype(np.int64))
    write_json(out / MEMBER_FILE, {"kind": kind, **numbers})
