"""The planted shop's release with a promotion, two ads, and hand-set models of clicks and of users."""

from pathlib import Path

import pandas as pd
from small_release import small_release

from components.common import columns as c
from components.common.files import write_json
from components.common.prepared import Prepared
from components.package.run import package
from serving.ads import ClickModel
from serving.audience import AudienceModel


def placed_release(root: Path) -> Path:
    """Five items are offered to everybody, and two pay, from the last event on; every ad is clicked one time in ten."""
    small_release(root)
    shop = Prepared.load(root / "prepared")
    start = pd.Timestamp(shop.split.last_event, unit="us", tz="UTC")
    ids = shop.items[c.ITEM_ID].astype(str).tolist()
    rows: list[tuple[str, str, str, float | None]] = [("spring", item, "promotion", None) for item in ids[:5]]
    rows += [("pays", ids[6], "ad", 0.5), ("pays more", ids[7], "ad", 0.6)]
    table = pd.DataFrame(rows, columns=[c.CAMPAIGN_ID, c.ITEM_ID, c.KIND, c.BID])
    spans = {c.STARTS_AT: start, c.ENDS_AT: start + pd.Timedelta(days=14)}
    table.assign(**spans).to_parquet(root / "prepared" / "campaigns.parquet", index=False)
    one, none = (1.0,), (0.0,)
    clicks = ClickModel(
        members=("popularity",), means=none, scales=one, weights=none, missing=none, intercept=0, seen=0.2
    )
    write_json(root / "fusion" / "clicks.json", clicks.model_dump(mode="json"))
    audience = AudienceModel(means=none * 5, scales=one * 5, weights=one * 5, intercept=0)
    write_json(root / "fusion" / "audience.json", audience.model_dump(mode="json"))
    package(root / "prepared", root / "embeddings", root / "fusion", [root / "members"], root / "release")
    return root / "release"
