"""The Kubeflow door of stage `ingest`."""

from kfp import dsl
from kfp.dsl import Dataset, Markdown, Output

from components.common.image import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def ingest(source: str, tables: Output[Dataset], page: Output[Markdown], config: str = "", store: str = "") -> None:
    """Turn *source* into the shop's canonical tables; see components.ingest.run.ingest."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("ingest"):
        from components.common.files import write_text
        from components.common.page import counts_page
        from components.ingest.run import ingest

        report = ingest(source, config or None, store, Path(tables.path))
        write_text(Path(page.path), counts_page("Tables", report["tables"], report["corrections"]))
    tables.metadata.update(report["tables"])
