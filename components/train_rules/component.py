"""Kubeflow's door to the train_rules stage."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Markdown, Model, Output

from components.common.image import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def train_rules(
    prepared: Input[Dataset],
    embeddings: Input[Model],
    seed: int,
    members: Output[Model],
    page: Output[Markdown],
    settings: str = "",
) -> None:
    """Mine complements and substitutes; see components.train_rules.run.train_rules."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("train_rules"):
        from components.common.files import write_text
        from components.common.page import members_page
        from components.train_rules.run import train_rules as run

        run(Path(prepared.path), Path(embeddings.path), Path(members.path), seed, settings)
        write_text(Path(page.path), members_page("Members of mined rules", Path(members.path)))
