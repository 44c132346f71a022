"""A real server whose release offers a promotion and ads."""

from collections.abc import Iterator

import pytest
from placed_release import placed_release
from small_release import live_store, run_folder

from components.deploy.trial import running_server


@pytest.fixture(scope="session")
def placed_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """See tests/placed_release.py."""
    root = tmp_path_factory.mktemp("placed")
    with running_server(placed_release(root), live_store(run_folder(tmp_path_factory)), root / "server.log") as url:
        yield url
