"""Run a pipeline on this machine with kfp.local; started by pipelines.run as a process of its own.

Usage: python -m pipelines.local PIPELINE PIPELINE_ROOT ARGUMENTS_JSON [COMPILED_YAML]
"""

import json
import sys
from pathlib import Path
from typing import Any

from kfp import components, local

from pipelines.compile import pipelines


def run_local(name: str, root: Path, arguments: dict[str, Any], compiled: Path | None = None) -> None:
    """Run the pipeline *name* of `pipelines.compile.pipelines`, or a compiled one, with its steps as subprocesses."""
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(root), raise_on_error=True)
    pipeline = components.load_component_from_file(str(compiled)) if compiled else pipelines()[name]
    pipeline(**arguments)


if __name__ == "__main__":
    compiled = Path(sys.argv[4]) if len(sys.argv) > 4 else None
    run_local(sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3]), compiled)
