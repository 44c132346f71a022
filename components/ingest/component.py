"""The Kubeflow door of stage `ingest`."""

from kfp import dsl
from kfp.dsl import Dataset, Output

from components.common.image import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def ingest(source: str, tables: Output[Dataset], config: str = "", store: str = "") -> None:
    """Turn *source* into the shop's canonical tables; see components.ingest.run.ingest."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("ingest"):
        from components.ingest.run import ingest

        report = ingest(source, config or None, store, Path(tables.path))
    tables.metadata.update(report["tables"])
