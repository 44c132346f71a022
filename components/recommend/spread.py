"""Parts spread over Ray's workers by Ray Data, which does a part again whose worker died; needs the extra `ray`."""

import logging
from typing import Any

from components.common.errors import CuveeError
from components.common.local_ray import connected, reason
from components.common.stage import progress
from components.recommend.part import PART, PartScorer, Wanted

MOST_BLOCKS = 1_000


def spread(wanted: Wanted, parts: int, workers: int) -> list[dict[str, Any]]:
    """Answer all *parts* with *workers* scorers: on the cluster at `RAY_ADDRESS`, else on a Ray of this machine.

    The folders of *wanted* must be the same for every worker.

    Raises:
        ConfigError: Ray is not installed.
        CuveeError: a part cannot be answered, whoever tries.
    """
    ray = connected(workers)
    import ray.data as data

    data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # what went wrong is raised
    asked = data.from_items([{PART: part} for part in range(parts)], override_num_blocks=min(parts, MOST_BLOCKS))
    pool = data.ActorPoolStrategy(size=workers)
    scorer: Any = PartScorer  # each worker makes one of the class, which Ray's types do not say
    done: list[dict[str, Any]] = []
    try:
        for one in asked.map(scorer, fn_constructor_args=(wanted,), compute=pool).iter_rows():
            done.append(one)
            progress("recommend", len(done), parts)
    except ray.exceptions.RayError as error:
        raise CuveeError(f"recommend: a worker of Ray gave up: {reason(error)}") from error
    return done
