"""The release that is served today, asked the same questions."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.common.errors import ReleaseError
from components.common.ranking import Doubles, ndcg_at
from components.evaluate.judge import BATCH
from components.evaluate.relevance import Relevance
from serving.arrays import PAD, Ints
from serving.catalogue import Catalogue
from serving.current import current_release
from serving.engine import Engine
from serving.features import HistoricalStates
from serving.queries import RECOMMEND

K = 10


@dataclass(frozen=True)
class Champion:
    """The engine of a verified release."""

    engine: Engine

    @classmethod
    def of(cls, store: Path, candidate: str) -> tuple["Champion | None", str]:
        """The champion of *store* and, if there is none to compare with, why in words (empty: nothing published)."""
        try:
            folder = current_release(store)
            if folder is None:
                return None, ""
            engine = Engine.load(folder)
            if engine.digest == candidate:
                return None, "The champion is this very release."
            return cls(engine), ""
        except (ReleaseError, OSError) as error:
            return None, f"The champion cannot be compared with: {error}"

    def ndcg(
        self, catalogue: Catalogue, relevance: Relevance, ids: list[str], states: Path, task: str, as_of: int | None
    ) -> Doubles:
        """(n,) NDCG@10 of the champion's own answers to the users of *relevance*.

        Args:
            catalogue: the candidate's; items are compared by id, and what only the champion sells is a miss.
            relevance: in rows of *catalogue*.
            ids: (n) pseudonyms of the users.
            states: the Parquet file of their states.
            task: which blend.
            as_of: the test's start (µs), None: each user's own.
        """
        known = HistoricalStates.load(states, self.engine.catalogue).states(ids, as_of)
        ours = catalogue.index(self.engine.catalogue.ids)
        parts: list[Ints] = []
        for start in range(0, len(ids), BATCH):
            rows = np.arange(start, min(start + BATCH, len(ids)))
            pool = self.engine.pool(self.engine.queries(RECOMMEND, known.take(rows)), task)
            items = self.engine.rank(pool, task, K).items
            items = np.pad(items, ((0, 0), (0, K - items.shape[1])), constant_values=PAD)
            parts.append(np.where(items == PAD, PAD, ours[np.maximum(items, 0)]))
        hits = relevance.holds(np.concatenate(parts))
        return ndcg_at(hits.astype(np.float32), relevance.counts, K)

    def can(self, task: str, catalogue: Catalogue) -> str:
        """Why the champion cannot be asked for *task*; empty if it can."""
        if self.engine.fusion is None or task not in self.engine.fusion.tasks:
            return f"The champion has no blend for '{task}'."
        if not set(self.engine.catalogue.ids) & set(catalogue.ids):
            return "The champion's catalogue has no item in common with this one."
        return ""

    def saw(self, test_start: int | None) -> bool:
        """Was it trained on events past the test's start (µs)."""
        until = self.engine.manifest.trained_until if self.engine.manifest else None
        return until is not None and test_start is not None and until > test_start
