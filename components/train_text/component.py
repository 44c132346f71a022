"""Kubeflow's door to the train_text stage."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output

from components.common.image import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def train_text(
    prepared: Input[Dataset],
    embeddings: Input[Model],
    effort: str,
    seed: int,
    members: Output[Model],
    settings: str = "",
) -> None:
    """Train the text members; see components.train_text.run.train_text."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("train_text"):
        from components.train_text.run import train_text as run

        run(Path(prepared.path), Path(embeddings.path), Path(members.path), effort, seed, settings)
