"""Both doors, package and evaluate, through Kubeflow's local runner: only there a missing import shows."""

import json
from pathlib import Path
from typing import Any

import pytest
from evaluated_run import Run
from kfp import dsl, local

from components.evaluate.component import evaluate
from components.package.component import package


def pipeline(run: Run) -> Any:
    """The two stages over the run's own folders."""
    prepared, features, fusion, embeddings, members, nothing = (
        str(run.root / name) for name in ("prepared", "features", "fusion", "embeddings", "members", "nothing")
    )

    @dsl.pipeline(name="package-and-evaluate")
    def both() -> bool:
        shop = dsl.importer(artifact_uri=prepared, artifact_class=dsl.Dataset, reimport=True).output
        states = dsl.importer(artifact_uri=features, artifact_class=dsl.Dataset, reimport=True).output
        blends = dsl.importer(artifact_uri=fusion, artifact_class=dsl.Model, reimport=True).output
        texts = dsl.importer(artifact_uri=embeddings, artifact_class=dsl.Model, reimport=True).output
        family = dsl.importer(artifact_uri=members, artifact_class=dsl.Model, reimport=True).output
        none = dsl.importer(artifact_uri=nothing, artifact_class=dsl.Model, reimport=True).output
        made = package(prepared=shop, embeddings=texts, fusion=blends, cf=family, deep=none, text=none, rules=none)
        found = evaluate(release=made.outputs["release"], prepared=shop, features=states, fusion=blends)
        return found.outputs["Output"]  # type: ignore[no-any-return]

    return both


def test_the_stages_run_under_the_local_runner(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUVEE_PROGRESS", str(tmp_path / "progress.jsonl"))
    root = tmp_path / "kfp"
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(root), raise_on_error=True)
    task = pipeline(run)()
    assert task.output is True
    (metrics,) = root.glob("*/evaluate/evaluation/metrics.json")
    assert json.loads(metrics.read_text())["fused"]["ndcg@10"] == 1.0
    for name in ("report", "card"):
        assert next(root.glob(f"*/evaluate/{name}")).read_text()
    facts = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert [fact["stage"] for fact in facts if fact["kind"] == "end"] == ["package", "evaluate"]
    assert "<td>package</td>" in next(root.glob("*/evaluate/report")).read_text()
