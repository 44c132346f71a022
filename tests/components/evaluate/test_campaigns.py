"""Campaigns judged on the planted shop, whose test window holds one new and one repeated item of each user."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from evaluated_run import Run

from components.common import columns as c
from components.common.prepared import Prepared
from components.evaluate.campaigns import FREQUENCY, FUSED, judge_campaigns
from components.evaluate.scenarios import scenarios
from components.evaluate.summary import NDCG
from serving.engine import Engine

DAY = pd.Timedelta(days=1)


def offer(run: Run, shop: Prepared, users: list[str] | None = None) -> Engine:
    """One campaign of all items in the whole test window, one that ended before it; the second purchase redeems."""
    cut = shop.split.test
    start, end = (pd.Timestamp(at or 0, unit="us", tz="UTC") for at in (cut.as_of, cut.until))
    rows = [(name, item, *span) for name, span in {"runs": (start, end), "over": (start - DAY, start)}.items()
            for item in shop.items[c.ITEM_ID]]  # fmt: skip
    table = pd.DataFrame(rows, columns=[c.CAMPAIGN_ID, c.ITEM_ID, c.STARTS_AT, c.ENDS_AT]).assign(kind="promotion")
    table.to_parquet(run.root / "prepared" / "campaigns.parquet", index=False)
    if users is not None:
        named = pd.DataFrame({c.CAMPAIGN_ID: "runs", c.USER_ID: users})
        named.to_parquet(run.root / "prepared" / "campaign_users.parquet", index=False)
    return Engine.load(run.pack(1.0))


def judged(run: Run, engine: Engine) -> dict[str, Any]:
    found = judge_campaigns(engine, run.prepared, run.root / "prepared", run.root / "features/states/test.parquet")
    assert found is not None
    return found


def test_what_was_bought_while_it_ran_is_wanted(run: Run) -> None:
    found = judged(run, offer(run, run.prepared))
    users = run.prepared.target(run.prepared.split.test)[c.USER].nunique()
    assert set(found) == {"purchases", "new"}
    assert found["purchases"]["pairs"] == users
    assert found["new"]["pairs"] == users
    assert found["new"][FUSED][NDCG] > found["new"]["popularity"][NDCG]
    assert found["purchases"][FREQUENCY][NDCG] > 0
    (section,) = scenarios({"scenarios": {"bundle": None, "campaign": found}})
    assert "<h2>Campaigns</h2>" in section


def test_only_those_it_was_meant_for_are_asked(run: Run) -> None:
    ids = run.prepared.users[c.USER_ID].tolist()[:3]
    assert judged(run, offer(run, run.prepared, ids))["purchases"]["pairs"] == 3


def test_redemptions_are_what_was_bought_under_it(run: Run) -> None:
    shop = run.prepared
    engine = offer(run, shop)
    target = shop.target(shop.split.test).iloc[[0, 5]]
    ids, names = shop.users[c.USER_ID].to_numpy(), shop.items[c.ITEM_ID].to_numpy()
    columns = {c.CAMPAIGN_ID: "runs", c.USER_ID: ids[target[c.USER]], c.ITEM_ID: names[target[c.ITEM]]}
    pd.DataFrame(columns | {c.TIMESTAMP: target[c.TIMESTAMP].to_numpy()}).assign(
        **{c.TIMESTAMP: lambda frame: pd.to_datetime(frame[c.TIMESTAMP], utc=True)}
    ).to_parquet(run.root / "prepared" / "redemptions.parquet")
    assert judged(run, engine)["redemptions"]["pairs"] == len(np.unique(target[c.USER]))


def test_a_shop_without_campaigns_is_not_judged(run: Run) -> None:
    engine = Engine.load(run.root / "release")
    assert judge_campaigns(engine, run.prepared, run.root / "prepared", Path("features/states/test.parquet")) is None


def test_a_release_holds_what_has_not_ended_and_no_user(run: Run) -> None:
    engine = offer(run, run.prepared, ["somebody"])
    assert engine.campaigns.names() == {"runs"}
    assert not list((run.root / "release").rglob("campaign_users*"))
    assert engine.manifest is not None
    assert "campaigns.parquet" in engine.manifest.files


@pytest.mark.parametrize("missing", ["states", "window"])
def test_without_states_or_a_window_nothing_is_judged(run: Run, missing: str) -> None:
    engine, shop = offer(run, run.prepared), run.prepared
    if missing == "window":
        cut = shop.split.test.model_copy(update={"as_of": None, "until": None})
        split = shop.split.model_copy(update={"cuts": (cut,)})
        shop = Prepared(shop.events, shop.items, shop.users, split, shop.shop)
    states = run.root / "features" / "states" / ("test.parquet" if missing == "window" else "none.parquet")
    assert judge_campaigns(engine, shop, run.root / "prepared", states) is None
