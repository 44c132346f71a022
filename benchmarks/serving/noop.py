"""KServe as it comes, with a model that does nothing: `python -m benchmarks.serving.noop --http_port N`.

Without more it is KServe's default, which logs every request; with QUIET in the environment its loggers are silent.
"""

import logging
import os
from typing import Any

from kserve import Model, ModelServer

QUIET = "CUVEE_BENCH_QUIET"


class Nothing(Model):  # type: ignore[misc]
    """Answers every question alike."""

    def __init__(self) -> None:
        super().__init__("cuvee")
        self.ready = True

    async def predict(self, _payload: Any, _headers: dict[str, str] | None = None) -> dict[str, Any]:
        """Nothing at all."""
        return {"predictions": []}


if __name__ == "__main__":
    quiet = QUIET in os.environ
    if quiet:
        for name in ("kserve", "kserve.trace", "uvicorn.access"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
            logging.getLogger(name).addHandler(logging.NullHandler())
    ModelServer(workers=1, enable_grpc=False, enable_latency_logging=not quiet).start([Nothing()])
