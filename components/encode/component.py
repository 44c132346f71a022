"""Kubeflow's door to the encode stage."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Markdown, Model, Output

from components.common.image import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def encode(
    prepared: Input[Dataset],
    encoder: str,
    embeddings: Output[Model],
    page: Output[Markdown],
    image_encoder: str = "auto",
) -> None:
    """Encode the items' texts and media; see components.encode.run.encode."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("encode"):
        from components.common.files import write_text
        from components.encode.page import encoded_page
        from components.encode.run import encode as run

        run(Path(prepared.path), encoder, Path(embeddings.path), image_encoder)
        write_text(Path(page.path), encoded_page(Path(embeddings.path)))
