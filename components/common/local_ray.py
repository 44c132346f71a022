"""Ray, where somebody asks for workers: a cluster's, or one of this machine's own that nobody else reaches."""

import logging
import os
import re
from types import ModuleType
from typing import Any

from components.common.errors import ConfigError, CuveeError

ADDRESS_VARIABLE = "RAY_ADDRESS"
TRIES = 3
_RAISED = re.compile(r"^[\w.]*(?:Error|Exception): .+$", re.MULTILINE)
_REPORTS, _REACHABLE = "RAY_USAGE_STATS_ENABLED", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


def connected(workers: int) -> ModuleType:
    """The package `ray`, connected to the cluster at `RAY_ADDRESS`; without one, to a Ray of *workers* on this machine.

    The latter listens on 127.0.0.1 alone and ends with this process. No Ray of ours reports its use to anybody.

    Raises:
        ConfigError: Ray is not installed.
        CuveeError: it does not start, or the cluster does not answer.
    """
    os.environ.setdefault(_REPORTS, "0")
    named = bool(os.environ.get(ADDRESS_VARIABLE))
    if not named:  # named after other systems, heeded on Linux too
        os.environ.setdefault(_REACHABLE, "0")
    try:
        import ray
        from ray._private import ray_constants
    except ImportError as error:
        raise ConfigError(f"found {workers} workers of Ray to ask, and no Ray. Install cuvee[ray].") from error
    if not named:  # Ray reads the variable at its import, and others may have imported it before
        ray_constants.ENABLE_RAY_CLUSTER = os.environ[_REACHABLE] != "0"
    if not ray.is_initialized():
        _start(ray, {} if named else {"address": "local", "num_cpus": workers})
    return ray


def _start(ray: ModuleType, options: dict[str, Any]) -> None:
    """Ray ends where its parts are not up within 15 seconds, as on a busy machine: then once more."""
    for trial in range(TRIES):
        try:
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, **options)
            return
        except Exception as error:  # Ray raises just that
            ray.shutdown()
            if trial == TRIES - 1:
                raise CuveeError(f"Ray does not start, or not answer, in {TRIES} tries: {reason(error)}") from error


def reason(error: Exception) -> str:
    """What was raised first, in one line, without the way to it: Ray gives a worker's whole story as text."""
    told = str(error).strip() or type(error).__name__
    raised = _RAISED.search(told)
    return raised.group() if raised else told.splitlines()[-1]
