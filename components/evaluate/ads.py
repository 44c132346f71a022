"""Ads: is the predicted click the share that was clicked, on what was shown in the test window?"""

from pathlib import Path
from typing import Any

import numpy as np

from components.common.classified import classified
from components.common.impressions import AD, IMPRESSIONS_FILE, impressions
from components.common.prepared import Prepared
from components.common.ranking import Doubles
from components.evaluate.metrics import auc
from serving.arrays import Bools
from serving.engine import Engine
from serving.shown import scored

PARTS = 5
LEAST = 1e-9


def judge_clicks(engine: Engine, shop: Prepared, prepared: Path, states: Path) -> dict[str, Any] | None:
    """What the click model of the release says of the ads that were shown in the test window, and what happened.

    Returns:
        {"impressions", "predicted", "clicked" (mean rates), "log_loss", "log_loss_of_the_rate" (of always saying the
        rate that was clicked), "auc", "parts": five equal parts by prediction, each with both rates, "classified": see
        `Classified`}; None without a click model, impressions, or a click.
    """
    model, path = engine.click_model, prepared / IMPRESSIONS_FILE
    if model is None or not path.exists() or not states.exists() or shop.split.test.as_of is None:
        return None
    shown = impressions(prepared, shop, shop.split.test)
    found, names = scored(engine, shop, shown[shown[AD]], states, shop.split.seed)
    if not found.clicked.any() or found.clicked.all():
        return None
    said = model.clicks({name: found.scores[:, place] for place, name in enumerate(names)})
    return _summary(said, found.clicked)


def _summary(said: Doubles, clicked: Bools) -> dict[str, Any]:
    rate = float(clicked.mean())
    above = auc(
        said[None].astype(np.float32), np.zeros(int(clicked.sum()), np.int64), np.flatnonzero(clicked).astype(np.int32)
    )
    parts = np.array_split(np.argsort(said, kind="stable"), PARTS)
    return {
        "impressions": len(said),
        "predicted": float(said.mean()),
        "clicked": rate,
        "log_loss": _loss(said, clicked),
        "log_loss_of_the_rate": _loss(np.full(len(said), rate), clicked),
        "auc": float(above[0]),
        "parts": [{"predicted": float(said[part].mean()), "clicked": float(clicked[part].mean())} for part in parts],
        "classified": classified(said, clicked, rate, ("not clicked", "clicked"))._asdict(),
    }


def _loss(said: Doubles, clicked: Bools) -> float:
    chance = np.clip(said, LEAST, 1 - LEAST)
    return float(-np.where(clicked, np.log(chance), np.log1p(-chance)).mean())
