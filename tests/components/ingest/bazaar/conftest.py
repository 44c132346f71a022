"""One simulated shop of tables for the session, and a small one with media on disk; tests never change them."""

from pathlib import Path

import pandas as pd
import pytest

from components.ingest.bazaar.config import BazaarConfig
from components.ingest.bazaar.run import write_bazaar
from components.ingest.bazaar.tables import Bazaar, make_bazaar
from components.ingest.bazaar.truth import truth_tables

SMALL = BazaarConfig(users=80, items=120, seed=5)


@pytest.fixture(scope="session")
def shop() -> Bazaar:
    """4,000 users and 500 items: enough to find what was planted."""
    return make_bazaar(BazaarConfig(users=4000, items=500, seed=3))


@pytest.fixture(scope="session")
def truth(shop: Bazaar) -> dict[str, pd.DataFrame]:
    return truth_tables(shop)


@pytest.fixture(scope="session")
def small_bazaar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tables, truth and media."""
    folder = tmp_path_factory.mktemp("bazaar") / "small"
    write_bazaar(SMALL, folder)
    return folder
