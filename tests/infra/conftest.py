"""Rendered overlays and the schemas they are held to, once for all tests."""

import copy
from collections.abc import Callable

import pytest

from components.common.errors import CuveeError
from infra.checks import metrics
from infra.checks.__main__ import rendered
from infra.checks.render import Object


@pytest.fixture(scope="session")
def overlays() -> dict[str, list[Object]]:
    """Every overlay by its path below infra/; not to be changed."""
    try:
        return rendered()
    except CuveeError as error:
        if "kubectl" in str(error) and "neither" in str(error):
            pytest.skip(str(error))
        raise


@pytest.fixture
def fresh(overlays: dict[str, list[Object]]) -> Callable[[str], list[Object]]:
    """A copy of an overlay's objects, to be changed."""
    return lambda name: copy.deepcopy(overlays[name])


@pytest.fixture(scope="session")
def names() -> metrics.Names:
    """What the server exports."""
    return metrics.exported()
