"""prepare's Kubeflow face."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Markdown, Output

from components.common.image import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def prepare(
    checked: Input[Dataset], protocol: str, effort: str, seed: int, prepared: Output[Dataset], page: Output[Markdown]
) -> None:
    """Clean, normalise and split the checked tables; see components.prepare.run.prepare."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("prepare"):
        from components.common.files import read_json, write_text
        from components.common.page import counts_page
        from components.prepare.run import CLEANING_FILE, prepare

        counts = prepare(Path(checked.path), Path(prepared.path), protocol, effort, seed)
        prepared.metadata.update(counts)
        done = read_json(Path(prepared.path) / CLEANING_FILE)["corrections"]
        write_text(Path(page.path), counts_page("The shop as it is learned from", counts, done))
