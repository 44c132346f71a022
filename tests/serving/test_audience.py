"""Users for a campaign: features by hand, the likeliest first, and what is said where nobody can be named."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.common import columns as c
from components.common.config import ShopConfig
from components.common.errors import ReleaseError
from components.common.files import write_json
from components.common.moments import DAY
from serving.audience import FEATURES, AudienceModel, features
from serving.blend import FEATURES as CALIBRATED
from serving.blend import Blend, Fusion, TaskFusion
from serving.campaigns import COLUMNS, Campaigns
from serving.catalogue import Catalogue
from serving.engine import Engine
from serving.instances import parse
from serving.states import UserStates

NOW = 1_700_000_000_000_000
BY_TAKEN = AudienceModel(means=(0,) * 5, scales=(1,) * 5, weights=(1, 0, 0, 0, 0), intercept=-1)
MET = {"often": [("i0", 3.0), ("i2", 1.0)], "once": [("i1", 1.0)], "never": [("i2", 1.0)], "nobody": []}


class Port:
    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    def states(self, user_ids: Sequence[str], as_of: int | None) -> UserStates:
        rows = [
            {"item_ids": [item for item, _ in MET[user]], "last_at": [NOW - 28 * DAY] * len(MET[user]),
             "first_at": [NOW - 28 * DAY] * len(MET[user]), "counts": [count for _, count in MET[user]]}
            for user in user_ids
        ]  # fmt: skip
        return UserStates.from_rows(user_ids, rows, np.full(len(rows), as_of or 0), self.catalogue)


@pytest.fixture
def engine() -> Engine:
    """Campaign `two` offers i0 and i1 to everyone in MET, `open` names nobody."""
    items = pd.DataFrame(
        {"item_id": ["i0", "i1", "i2"], "title": "", "description": "", "category": "", "brand": "", "price": 1.0,
         "price_norm": np.float32(0), "available": True, "created_at": pd.NaT, "attributes": "{}"}
    )  # fmt: skip
    blend = Blend(kind="even", members=("m",), weights=((1.0,) * len(CALIBRATED),))
    fusion = Fusion(tasks={"discovery": TaskFusion(chosen="even", methods={"even": blend})})
    engine = Engine(Catalogue(items), ShopConfig(), {}, fusion)
    rows = [(name, row, NOW, NOW + DAY, False, np.nan) for name, row in (("two", 0), ("two", 1), ("open", 2))]
    named = pd.DataFrame({c.CAMPAIGN_ID: "two", c.USER_ID: list(MET)})
    engine.campaigns = Campaigns(pd.DataFrame(rows, columns=list(COLUMNS)), named)
    engine.audience = BY_TAKEN
    return engine


def test_features_by_hand(engine: Engine) -> None:
    """28 days ago counts half: of `often` three of four were taken, 1.5 by now."""
    states = Port(engine.catalogue).states(["often", "nobody"], NOW)
    found = features(states, np.array([True, True, False]))
    assert found.shape == (2, len(FEATURES))
    np.testing.assert_allclose(found[0], [np.log(4), np.log(2.5), 0.75, np.log(3), np.log(29)], rtol=1e-6)
    np.testing.assert_allclose(found[1], [0, 0, 0, 0, np.log(366)], rtol=1e-6)


def ranked(engine: Engine, name: str, k: int = 10) -> tuple[list[str], list[str]]:
    answer = engine.answer([parse({"scenario": "campaign", "campaign_id": name, "k": k})], Port(engine.catalogue), NOW)
    assert answer[0]["items"] == []
    return [one["user_id"] for one in answer[0]["users"]], answer[0]["degraded"]


def test_the_likeliest_come_first(engine: Engine) -> None:
    assert ranked(engine, "two") == (["often", "once", "never", "nobody"], [])
    assert ranked(engine, "two", k=1) == (["often"], [])


def test_where_nobody_can_be_named_it_is_said(engine: Engine) -> None:
    assert ranked(engine, "open") == ([], ["no_users"])
    assert ranked(engine, "other") == ([], ["unknown_campaign"])
    engine.campaigns.targets["two"] = frozenset({"a stranger to the store"})  # the port knows only MET: it raises
    assert ranked(engine, "two") == ([], ["features"])
    engine.audience = None
    assert ranked(engine, "two") == ([], ["no_users"])


def test_a_file_is_read_or_refused(tmp_path: Path) -> None:
    assert AudienceModel.load_if_any(tmp_path / "audience.json") is None
    write_json(tmp_path / "audience.json", BY_TAKEN.model_dump(mode="json"))
    assert AudienceModel.load_if_any(tmp_path / "audience.json") == BY_TAKEN
    (tmp_path / "audience.json").write_text("{}")
    with pytest.raises(ReleaseError, match=r"audience\.json"):
        AudienceModel.load_if_any(tmp_path / "audience.json")
