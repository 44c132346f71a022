"""Two real releases of the planted shop, and a store with online features."""

from pathlib import Path

import pytest
from small_release import live_store, run_folder, small_release


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A packaged release."""
    return small_release(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="session")
def other_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same shop, another blend: another digest."""
    return small_release(tmp_path_factory.mktemp("other"), lead=2.0)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a published release and online features; to be copied before it is changed."""
    return live_store(run_folder(tmp_path_factory))
