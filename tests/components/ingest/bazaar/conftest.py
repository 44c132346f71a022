"""One simulated shop of tables for the session, and a small one with media on disk; tests never change them."""

from pathlib import Path

import pytest
from bazaar_shop import Shop, make_shop

from components.ingest.bazaar.config import BazaarConfig
from components.ingest.bazaar.run import write_bazaar

SMALL = BazaarConfig(users=80, items=120, seed=5)


@pytest.fixture(scope="session")
def shop() -> Shop:
    """4,000 users in two blocks and 500 items: enough to find what was planted."""
    return make_shop(BazaarConfig(users=4000, items=500, seed=3, users_at_once=2500))


@pytest.fixture(scope="session")
def small_bazaar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tables, truth and media."""
    folder = tmp_path_factory.mktemp("bazaar") / "small"
    write_bazaar(SMALL, folder)
    return folder
