"""A real release, its store with online features, and the real server on it."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from key_pairs import key_pair, trust
from small_release import live_store, run_folder, small_release

from components.deploy.signing import Signer
from components.deploy.trial import running_server
from serving.current import current_release


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """What a follower took out of the collector's sight comes back: pytest is no server."""
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A packaged release of the planted shop."""
    return small_release(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a published release and online features; not to be changed."""
    return live_store(run_folder(tmp_path_factory))


@pytest.fixture(scope="session")
def url(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The real server in a process of its own."""
    published = current_release(store)
    assert published is not None
    with running_server(published, store, tmp_path_factory.mktemp("server") / "server.log") as url:
        yield url


@pytest.fixture
def signer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Signer:
    """Who signs releases and pointers, and is trusted."""
    trust(monkeypatch, key_pair(tmp_path))
    made = Signer.configured()
    assert made is not None
    return made
