"""The Kubeflow door of stage `validate`."""

from kfp import dsl
from kfp.dsl import HTML, Dataset, Input, Output

from components.common.image import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def validate(
    tables: Input[Dataset], checked: Output[Dataset], data_docs: Output[HTML], docs_site: Output[Dataset]
) -> None:
    """Let the tables through if every row keeps the contract; see components.validate.run.validate."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("validate"):
        from components.validate.run import validate

        validate(Path(tables.path), Path(checked.path), Path(docs_site.path), Path(data_docs.path))
