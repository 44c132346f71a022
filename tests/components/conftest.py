"""A small real shop, written once a session; tests that change it work on a copy."""

import shutil
from pathlib import Path

import pytest
from shops import write_small_shop


@pytest.fixture(scope="session")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a real slice of Complete Journey as five Parquet tables; never change it."""
    return write_small_shop(tmp_path_factory.mktemp("shop") / "small")


@pytest.fixture
def shop_copy(small_shop: Path, tmp_path: Path) -> Path:
    """A copy of the small shop to spoil."""
    return Path(shutil.copytree(small_shop, tmp_path / "shop"))
