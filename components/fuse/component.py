"""Kubeflow's door to the fuse stage."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Markdown, Model, Output

from components.common.image import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def fuse(
    prepared: Input[Dataset],
    embeddings: Input[Model],
    features: Input[Dataset],
    cf: Input[Model],
    deep: Input[Model],
    text: Input[Model],
    rules: Input[Model],
    effort: str,
    seed: int,
    fusion: Output[Model],
    page: Output[Markdown],
    settings: str = "",
) -> None:
    """Learn how much each member counts; see components.fuse.run.fuse."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("fuse"):
        from components.common.files import write_text
        from components.fuse.page import fusion_page
        from components.fuse.run import fuse

        shop, texts, states, out = (Path(part.path) for part in (prepared, embeddings, features, fusion))
        families = [Path(family.path) for family in (cf, deep, text, rules)]
        fuse(shop, texts, states, families, out, effort, seed, settings)
        write_text(Path(page.path), fusion_page(out))
