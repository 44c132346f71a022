"""KServe as it comes, with a model that does nothing: `python -m benchmarks.serving.noop --http_port N`.

Without more it is KServe's default, which logs every request. CUVEE_BENCH_NOOP=quiet: its loggers are silent; light: it
stands behind our door and shortcut as well, which is what a question costs with us before the engine is asked.
"""

import logging
import os
from typing import Any

from kserve import Model, ModelServer
from kserve.model_server import app

from serving import door, shortcut

KIND = "CUVEE_BENCH_NOOP"


class Nothing(Model):  # type: ignore[misc]
    """Answers every question alike."""

    def __init__(self) -> None:
        super().__init__("cuvee")
        self.ready = True

    async def predict(self, _payload: Any, _headers: dict[str, str] | None = None) -> dict[str, Any]:
        """Nothing at all."""
        return {"predictions": []}


class Light(ModelServer):  # type: ignore[misc]
    """KServe's server, lightened where that is asked for."""

    def setup_event_loop(self) -> None:
        """The last that KServe calls before it starts."""
        if os.environ.get(KIND) == "light":
            shortcut.lighten(self._rest_server)
        super().setup_event_loop()


if __name__ == "__main__":
    kind = os.environ.get(KIND, "")
    if kind:
        for name in ("kserve", "kserve.trace", "uvicorn.access"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
            logging.getLogger(name).addHandler(logging.NullHandler())
    model = Nothing()
    if kind == "light":
        shortcut.install(app, model)
        door.install(app)
    Light(workers=1, enable_grpc=False, enable_latency_logging=not kind).start([model])
