"""A simulated shop in memory, its tables beside its truth: import it as `bazaar_shop`."""

from dataclasses import dataclass

import pandas as pd

from components.ingest.bazaar.config import BazaarConfig
from components.ingest.bazaar.shop import Bazaar, judgements, make_bazaar, standing_tables, visit_blocks
from components.ingest.bazaar.truth import truth_tables
from components.ingest.bazaar.world import World


@dataclass(frozen=True)
class Shop:
    """All tables of a bazaar, and its truth by name, with the ids that the tables use."""

    bazaar: Bazaar
    tables: dict[str, pd.DataFrame]
    truth: dict[str, pd.DataFrame]

    @property
    def world(self) -> World:
        """The truth in codes."""
        return self.bazaar.world


def make_shop(config: BazaarConfig) -> Shop:
    """The whole shop of *config*, its blocks of visits put together."""
    bazaar = make_bazaar(config)
    blocks = list(visit_blocks(bazaar))
    queries, graded = judgements(bazaar, blocks[0].searches)
    logs = {name: pd.concat([block.tables[name] for block in blocks], ignore_index=True) for name in blocks[0].tables}
    tables = standing_tables(bazaar) | logs | {"judgements": graded}
    return Shop(bazaar, tables, truth_tables(bazaar, queries))
