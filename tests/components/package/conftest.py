"""A packaged run of the planted shop; made once, and copied for tests that change it."""

import shutil
from pathlib import Path

import pytest
from crowded_run import crowded_run
from evaluated_run import Run, evaluated_shop, make_run


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Never change it."""
    return make_run(tmp_path_factory.mktemp("evaluated"), evaluated_shop())


@pytest.fixture(scope="session")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with enough users to judge by; never change it."""
    return crowded_run(tmp_path_factory.mktemp("crowded"))


@pytest.fixture
def run(made: Run, tmp_path: Path) -> Run:
    return Run(Path(shutil.copytree(made.root, tmp_path / "run")))
