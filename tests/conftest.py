"""Shared fixtures; CUVEE_REQUIRE_ALL=1 turns every skip into a failure, so that nothing is skipped silently in CI."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from infra.checks.schemas import Schemas

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and os.environ.get("CUVEE_REQUIRE_ALL") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and CUVEE_REQUIRE_ALL is set: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the real data sets that are not packages."""
    folder = os.environ.get("CUVEE_TEST_DATA")
    if not folder:
        pytest.skip("CUVEE_TEST_DATA is not set: it names the folder that holds amazon_sports_seq and others")
    return Path(folder)


@pytest.fixture(scope="session")
def crds() -> Path:
    """The folder with the unmodified CRDs."""
    folder = os.environ.get("CUVEE_CRDS")
    if not folder:
        pytest.skip("CUVEE_CRDS is not set: it names the folder that holds kserve_inferenceservices.yaml and others")
    return Path(folder)


@pytest.fixture(scope="session")
def schemas(crds: Path) -> "Schemas":
    """The real schemas of Kubernetes and of the CRDs; what they do not name is an error."""
    from infra.checks.schemas import Schemas

    return Schemas(crds)


@pytest.fixture(scope="session")
def bazaar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a release of a small bazaar, beside it the shop's own folder `shop`; not to be changed."""
    from bazaar_release import bazaar_store
    from small_release import run_folder

    return bazaar_store(run_folder(tmp_path_factory))


@pytest.fixture(scope="session")
def bazaar_url(bazaar: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The real server on that release, with the storefront."""
    from components.deploy.trial import running_server
    from serving.current import current_release

    release = current_release(bazaar)
    assert release is not None
    log = tmp_path_factory.mktemp("bazaar_server") / "server.log"
    with running_server(release, bazaar, log, options=("--page", "--shop", str(bazaar.parent / "shop"))) as url:
        yield url
