"""One part of the users: read, answered by the engine, written; the same on one machine and on Ray's workers."""

from components.common import stage  # first: it bounds the threads of linear algebra before numpy is there

__all__ = ["PartScorer", "stage"]

import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.common import columns as c
from components.common.errors import CuveeError
from serving.engine import Engine
from serving.features import HistoricalStates
from serving.instances import Instance
from serving.queries import RECOMMEND

POSITION, SCORE, PART, ROWS = "position", "score", "part", "rows"
UNFINISHED = ".part-"
LISTS = pa.schema([(c.USER_ID, pa.string()), (POSITION, pa.int32()), (c.ITEM_ID, pa.string()), (SCORE, pa.float64())])


@dataclass(frozen=True)
class Wanted:
    """What is asked of every part.

    release: a folder. states: Parquet of user states (components.materialize.states.STATES), each row group a part,
    all at *as_of* (µs). out: a folder. k: items of a user.
    """

    release: Path
    states: Path
    out: Path
    k: int
    as_of: int


class PartScorer:
    """A release in memory that answers parts; each worker makes one."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._engine = Engine.load(wanted.release)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Answer the part that *row* names and write its file; returns its number and how many rows it has.

        Done again, it writes the same bytes under the same name: a part whose worker died is simply done again.

        Raises:
            CuveeError: the engine had to do without something; half an answer is not kept.
        """
        number = int(row[PART])
        lists = self.lists(pq.ParquetFile(self._wanted.states).read_row_group(number))
        target = self._wanted.out / f"part-{number:06d}.parquet"
        temporary = target.with_name(f"{UNFINISHED}{number:06d}.{uuid.uuid4().hex}")
        pq.write_table(lists, temporary)
        os.replace(temporary, target)
        return {PART: number, ROWS: len(lists)}

    def lists(self, states: pa.Table) -> pa.Table:
        """LISTS of the users of *states*, in their order, best first."""
        users = states[c.USER_ID].to_pylist()
        asked = [Instance(scenario=RECOMMEND, user_id=user, k=self._wanted.k) for user in users]
        answers = self._engine.answer(asked, HistoricalStates.of(states, self._engine.catalogue), self._wanted.as_of)
        lacking = sorted({reason for answer in answers for reason in answer["degraded"]})
        if lacking:
            raise CuveeError(f"recommend: answered without {', '.join(lacking)}, expected whole answers. See the log.")
        items = [answer["items"] for answer in answers]
        columns = [
            pa.array(np.repeat(np.array(users, dtype=object), [len(found) for found in items]), pa.string()),
            pa.array([item["position"] for found in items for item in found], pa.int32()),
            pa.array([item["item_id"] for found in items for item in found], pa.string()),
            pa.array([item["score"] for found in items for item in found], pa.float64()),
        ]
        return pa.Table.from_arrays(columns, schema=LISTS)
