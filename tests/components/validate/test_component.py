"""The two doors, run once as Kubeflow's local runner runs them."""

from pathlib import Path

import pytest

from components.common.stage import PROGRESS_FILE


def test_ingest_and_validate_run_as_components(
    small_shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kfp import dsl, local

    from components.ingest.component import ingest
    from components.validate.component import validate

    @dsl.pipeline(name="doors")
    def doors(source: str, store: str) -> None:
        tables = ingest(source=source, store=store)
        validate(tables=tables.outputs["tables"])

    monkeypatch.setenv(PROGRESS_FILE, str(tmp_path / "progress.jsonl"))
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "runs"), raise_on_error=True)
    doors(source=str(small_shop), store=str(tmp_path / "store"))
    assert len(list((tmp_path / "runs").rglob("checked/validation.json"))) == 1
    (page,) = (tmp_path / "runs").rglob("data_docs")
    assert "All tables passed." in page.read_text(encoding="utf-8")
    assert len(list((tmp_path / "runs").rglob("docs_site/index.html"))) == 1
    assert '"stage": "validate", "kind": "end"' in (tmp_path / "progress.jsonl").read_text(encoding="utf-8")
