"""`cuvee compile`: write every pipeline as YAML, and a diagram made from it."""

from pathlib import Path
from typing import Any

import yaml
from kfp import compiler

COMPILED = Path(__file__).parent / "compiled"


def pipelines() -> dict[str, Any]:
    """Every pipeline by its name, the main one first."""
    from pipelines.train_and_deploy import train_and_deploy
    from pipelines.tune import tune

    return {"train_and_deploy": train_and_deploy, "tune": tune}


def compile_all(out: Path) -> list[Path]:
    """Compile into *out*; returns the files written, the main pipeline's first."""
    out.mkdir(parents=True, exist_ok=True)
    targets = []
    for name, pipeline in pipelines().items():
        targets.append(out / f"{name}.yaml")
        compiler.Compiler().compile(pipeline, str(targets[-1]))
    return targets


def diagram(compiled: Path) -> str:
    """A Mermaid flowchart of a compiled pipeline's steps and what each waits for."""
    spec = next(iter(yaml.safe_load_all(compiled.read_text(encoding="utf-8"))))
    lines = ["```mermaid", "flowchart LR"]
    lines += _edges(spec["root"]["dag"]["tasks"], spec["components"], "")
    return "\n".join([*lines, "```"]) + "\n"


def _edges(tasks: dict[str, Any], components: dict[str, Any], gate: str) -> list[str]:
    lines = []
    for name, task in sorted(tasks.items()):
        inner = components[task["componentRef"]["name"]].get("dag")
        before = sorted(task.get("dependentTasks", []))
        if inner:
            lines += _edges(inner["tasks"], components, before[-1] if "evaluate" not in before else "evaluate")
            continue
        lines += [f"  {other} --> {name}" for other in before]
        if gate and not before:
            lines.append(f"  {gate} -- passed the gate --> {name}")
    return lines
