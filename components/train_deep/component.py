"""The door of train_deep for Kubeflow."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Markdown, Model, Output

from components.common.image import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def train_deep(
    prepared: Input[Dataset],
    embeddings: Input[Model],
    effort: str,
    seed: int,
    members: Output[Model],
    page: Output[Markdown],
    settings: str = "",
) -> None:
    """Train the deep member of every cut; see components.train_deep.run."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("train_deep"):
        from components.common.files import write_text
        from components.common.page import members_page
        from components.train_deep.run import train_deep

        train_deep(Path(prepared.path), Path(embeddings.path), Path(members.path), effort, seed, settings)
        write_text(Path(page.path), members_page("The deep member", Path(members.path)))
