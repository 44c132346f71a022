"""Run one component of the pipeline in this process: `python -m benchmarks.quality.step ASKED_JSON`.

ASKED_JSON: {"function": its name in pipelines.train_and_deploy, "parameters", "inputs", "outputs": paths by name}.
"""

import inspect
import json
import sys
from pathlib import Path
from typing import Any, get_args


def run_step(asked: dict[str, Any]) -> None:
    """Call the component's own function with artifacts at the paths asked for."""
    from pipelines import train_and_deploy

    function = getattr(train_and_deploy, asked["function"]).python_func
    signature = inspect.signature(function).parameters
    paths: dict[str, str] = asked["inputs"] | asked["outputs"]
    artifacts = {}
    for name, path in paths.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        artifacts[name] = get_args(signature[name].annotation)[0](name=name, uri=path)
    function(**asked["parameters"], **artifacts)


if __name__ == "__main__":
    run_step(json.loads(sys.argv[1]))
