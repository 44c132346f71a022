"""What one writes first, to compare with: `python -m benchmarks.serving.naive STORE PORT`.

KServe as it comes; for every question Feast is asked for the user's row and for the numbers of 200 items, a deep
ranker (that of benchmarks.serving.rank) is asked by `keras.predict`, and the best are told. One model, no blend, no
deadline; its weights are random, which costs the same.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from kserve import Model, ModelServer

from benchmarks.serving.features import COLUMNS
from benchmarks.serving.rank import CANDIDATES, HISTORY, ranker
from components.common import columns as c
from components.common.identity import id_key, pseudonym
from components.common.services import ITEM_ATTRIBUTES, USER_SERVICE
from components.deploy.publish import champion
from serving.catalogue import Catalogue
from serving.features import open_store


class Naive(Model):  # type: ignore[misc]
    """Answers `recommend` of one user."""

    def __init__(self, store: Path) -> None:
        super().__init__("cuvee")
        release = champion(store)
        assert release is not None
        catalogue = Catalogue.load(release / "catalogue.parquet")
        self._keras, size = ranker()
        self._feast, self._key = open_store(store, online_only=True), id_key(store)
        self._user, self._rows = self._feast.get_feature_service(USER_SERVICE), catalogue.rows
        rng = np.random.default_rng(0)
        self._vectors = rng.normal(size=(len(catalogue), size)).astype(np.float32)
        self._candidates = rng.choice(len(catalogue), min(CANDIDATES, len(catalogue)), replace=False)
        self._asked = [{c.ITEM_ID: catalogue.ids[row]} for row in self._candidates]
        self._names = [f"{ITEM_ATTRIBUTES}:{name}" for name in COLUMNS]
        self.ready = True

    async def predict(self, payload: dict[str, Any], _headers: dict[str, str] | None = None) -> dict[str, Any]:
        """{"predictions": [{"items": [{"item_id", "score", "price"}]}]} of a V1 request."""
        return {"predictions": [self._answer(asked) for asked in payload["instances"]]}

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        whom = [{c.USER_ID: pseudonym(str(asked["user_id"]), self._key)}]
        user = self._feast.get_online_features(features=self._user, entity_rows=whom).to_dict()
        numbers = self._feast.get_online_features(features=self._names, entity_rows=self._asked).to_dict()
        met = [self._rows[item] for item in user[c.ITEM_IDS][0] or [] if item in self._rows][-HISTORY:]
        history = np.zeros((1, HISTORY, self._vectors.shape[1]), dtype=np.float32)
        history[0, HISTORY - len(met) :] = self._vectors[met]
        ages = np.arange(HISTORY, dtype=np.int32)[::-1][None].copy()
        scores = self._keras.predict([history, ages, self._vectors[self._candidates][None]], verbose=0)[0]
        best = np.argsort(-scores)[: asked.get("k", 10)]
        items = [
            {"item_id": self._asked[at][c.ITEM_ID], "score": float(scores[at]), "price": numbers[c.PRICE][at]}
            for at in best
        ]
        return {"items": items}


if __name__ == "__main__":
    ModelServer(workers=1, enable_grpc=False, http_port=int(sys.argv[2])).start([Naive(Path(sys.argv[1]))])
