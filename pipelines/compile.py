"""`cuvee compile`: write every pipeline as YAML, as objects for GitOps, and a diagram made from it."""

import hashlib
from pathlib import Path
from typing import Any

import yaml
from kfp import compiler

from pipelines.cluster import Cluster, placed

END = "ended([the run ends, well or not])"
COMPILED = Path(__file__).parent / "compiled"


def pipelines() -> dict[str, Any]:
    """Every pipeline by its name, the main one first."""
    from pipelines.batch_recommend import batch_recommend
    from pipelines.fine_tune import fine_tune
    from pipelines.train_and_deploy import train_and_deploy
    from pipelines.tune import tune

    return {
        "train_and_deploy": train_and_deploy,
        "tune": tune,
        "batch_recommend": batch_recommend,
        "fine_tune": fine_tune,
    }


def compile_all(out: Path, cluster: Cluster | None = None) -> list[Path]:
    """Compile into *out*, placed as *cluster* says; returns the files written, the main pipeline's first."""
    out.mkdir(parents=True, exist_ok=True)
    targets = []
    for name, pipeline in pipelines().items():
        targets.append(out / f"{name}.yaml")
        compiler.Compiler().compile(placed(pipeline, cluster or Cluster()), str(targets[-1]))
    return targets


def gitops(compiled: Path, namespace: str) -> list[dict[str, Any]]:
    """A compiled pipeline as the objects `Pipeline` and `PipelineVersion`; the version is named after its content."""
    text = compiled.read_text(encoding="utf-8")
    spec, *platform = yaml.safe_load_all(text)
    name = spec["pipelineInfo"]["name"]
    version = f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    told = spec["pipelineInfo"]["description"]
    head = {"apiVersion": "pipelines.kubeflow.org/v2beta1"}
    return [
        {**head, "kind": "Pipeline", "metadata": {"name": name, "namespace": namespace}, "spec": {"description": told}},
        {
            **head,
            "kind": "PipelineVersion",
            "metadata": {"name": version, "namespace": namespace},
            "spec": {"pipelineName": name, "versionName": version, "description": told, "pipelineSpec": spec}
            | ({"platformSpec": platform[0]} if platform else {}),
        },
    ]


def write_gitops(compiled: list[Path], namespace: str) -> list[Path]:
    """Write the objects of each compiled pipeline beside it, as NAME.objects.yaml."""
    written = [path.with_suffix(".objects.yaml") for path in compiled]
    for path, target in zip(compiled, written, strict=True):
        target.write_text(yaml.safe_dump_all(gitops(path, namespace), sort_keys=False), encoding="utf-8")
    return written


def diagram(compiled: Path) -> str:
    """A Mermaid flowchart of a compiled pipeline's steps and what each waits for."""
    spec = next(iter(yaml.safe_load_all(compiled.read_text(encoding="utf-8"))))
    lines = ["```mermaid", "flowchart LR"]
    lines += _edges(spec["root"]["dag"]["tasks"], spec["components"], "")
    return "\n".join([*lines, "```"]) + "\n"


def _has_steps(task: dict[str, Any] | None, components: dict[str, Any]) -> bool:
    return task is not None and "dag" in components[task["componentRef"]["name"]]


def _edges(tasks: dict[str, Any], components: dict[str, Any], gate: str) -> list[str]:
    lines = []
    for name, task in sorted(tasks.items()):
        inner = components[task["componentRef"]["name"]].get("dag")
        before = sorted(task.get("dependentTasks", []))
        if inner:
            after = "evaluate" if "evaluate" in before else before[-1] if before else gate
            lines += _edges(inner["tasks"], components, after)
            continue
        lines += [f"  {END if _has_steps(tasks.get(other), components) else other} --> {name}" for other in before]
        if gate and not before:
            lines.append(f"  {gate} -- passed the gate --> {name}")
    return lines
