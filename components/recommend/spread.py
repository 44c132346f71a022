"""Parts spread over Ray's workers by Ray Data, which does a part again whose worker died; needs the extra `ray`."""

import logging
import os
from typing import Any

from components.common.errors import ConfigError
from components.recommend.part import PART, PartScorer, Wanted

ADDRESS_VARIABLE = "RAY_ADDRESS"
MOST_BLOCKS = 1_000


def spread(wanted: Wanted, parts: int, workers: int) -> list[dict[str, Any]]:
    """Answer all *parts* with *workers* scorers: on the cluster at `RAY_ADDRESS`, else on a Ray of this machine.

    The folders of *wanted* must be the same for every worker.

    Raises:
        ConfigError: Ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ConfigError("workers: more than this process needs Ray; install cuvee[ray], or ask for 0.") from error
    started = not ray.is_initialized()
    if started:
        own: dict[str, Any] = {"num_cpus": workers, "_node_ip_address": "127.0.0.1"}
        if os.environ.get(ADDRESS_VARIABLE):
            own = {}
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.WARNING, **own)
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        asked = ray.data.from_items(
            [{PART: part} for part in range(parts)], override_num_blocks=min(parts, MOST_BLOCKS)
        )
        scorer: Any = PartScorer  # each of Ray's workers makes one of the class, which its types do not say
        pool = ray.data.ActorPoolStrategy(size=workers)
        done: list[dict[str, Any]] = asked.map(scorer, fn_constructor_args=(wanted,), compute=pool).take_all()
        return done
    finally:
        if started:
            ray.shutdown()
