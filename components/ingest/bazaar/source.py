"""Source `bazaar`: the shop of the defaults without media, for trying a pipeline where there are no files yet."""

from pathlib import Path

import pandas as pd

from components.common.config import ShopConfig
from components.ingest.bazaar.config import SETTINGS, BazaarConfig
from components.ingest.bazaar.shop import judgements, make_bazaar, standing_tables, visit_blocks
from components.ingest.shop import Ledger, Shop


def read_bazaar(_source: str, config: Path | None) -> Shop:
    """All tables of a simulated shop; `cuvee bazaar` writes one of another size, with media, as a folder.

    Args:
        _source: the source's name; the shop is drawn.
        config: a shop.yaml that replaces `SETTINGS`.

    Raises:
        ConfigError: shop.yaml has a typo.
    """
    settings = ShopConfig.from_yaml(config) if config else ShopConfig.parse(SETTINGS, "bazaar's settings")
    asked = BazaarConfig.parse({}, "bazaar")
    bazaar, ledger = make_bazaar(asked), Ledger()
    blocks = list(visit_blocks(bazaar))
    logs = {name: pd.concat([block.tables[name] for block in blocks], ignore_index=True) for name in blocks[0].tables}
    _, graded = judgements(bazaar, blocks[0].searches)
    why = f"Simulated with seed {asked.seed}: figures measured on it say nothing about any real shop."
    ledger.note("simulated", "events", why, len(logs["events"]), 0)
    return Shop(standing_tables(bazaar) | logs | {"judgements": graded}, settings, ledger)
