"""Run a pipeline on this machine with kfp.local; started by pipelines.run as a process of its own.

Usage: python -m pipelines.local PIPELINE_ROOT ARGUMENTS_JSON [COMPILED_YAML]
"""

import json
import sys
from pathlib import Path
from typing import Any

from kfp import components, local


def run_local(root: Path, arguments: dict[str, Any], compiled: Path | None = None) -> None:
    """Run the pipeline of pipelines.train_and_deploy, or a compiled one, with its steps as subprocesses."""
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(root), raise_on_error=True)
    if compiled:
        components.load_component_from_file(str(compiled))(**arguments)
        return
    from pipelines.train_and_deploy import train_and_deploy

    train_and_deploy(**arguments)


if __name__ == "__main__":
    run_local(Path(sys.argv[1]), json.loads(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
