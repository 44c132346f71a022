"""What is said where Ray is absent or one of its workers gives up; tests/cluster/test_ray.py has the real Ray."""

import sys

import pytest

from components.common.errors import ConfigError
from components.common.local_ray import connected, reason

STORY = """\x1b[36mray::MapWorker.submit()\x1b[39m (pid=7, ip=127.0.0.1)
  File "part.py", line 60, in __call__
    raise CuveeError("answered without rules")
components.common.errors.CuveeError: answered without rules

The above exception was the direct cause of the following exception:

ray.exceptions.UserCodeException: UDF failed to process a data block.
To change retry attempts, configure it."""


def test_of_a_workers_story_the_first_thing_raised_is_said() -> None:
    assert reason(RuntimeError(STORY)) == "components.common.errors.CuveeError: answered without rules"
    assert reason(RuntimeError("ray.exceptions\nThe actor died.")) == "The actor died."
    assert reason(RuntimeError()) == "RuntimeError"


def test_without_ray_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"2 workers of Ray .* Install cuvee\[ray\]"):
        connected(2)
