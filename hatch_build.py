"""Compiles the hot path's loops when the project is installed or a wheel of it is made; goes on without a compiler."""

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompiledLoops(BuildHookInterface):  # type: ignore[type-arg]
    """Adds serving/kernels/_kernels.so."""

    def initialize(self, _version: str, build_data: dict[str, Any]) -> None:
        """Compile for this machine; what comes of it is part of the wheel, which is of this platform then."""
        path = Path(self.root) / "serving" / "kernels" / "build.py"
        spec = importlib.util.spec_from_file_location("build", path)
        assert spec is not None
        assert spec.loader is not None
        kernels = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(kernels)
        if kernels.build():
            build_data["artifacts"].append("serving/kernels/_kernels.so")
            build_data["pure_python"], build_data["infer_tag"] = False, True
