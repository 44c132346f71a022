"""Kubeflow's door to the package stage."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Markdown, Model, Output

from components.common.image import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def package(
    prepared: Input[Dataset],
    embeddings: Input[Model],
    fusion: Input[Model],
    cf: Input[Model],
    deep: Input[Model],
    text: Input[Model],
    rules: Input[Model],
    release: Output[Model],
    page: Output[Markdown],
    smaller: str = "none",
) -> None:
    """Assemble one release with its manifest of hashes; see components.package.run.package."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("package"):
        from components.common.files import write_text
        from components.package.page import release_page
        from components.package.run import package

        members = [Path(family.path) for family in (cf, deep, text, rules)]
        shop, texts, blends, out = (Path(part.path) for part in (prepared, embeddings, fusion, release))
        made = package(shop, texts, blends, members, out, smaller)
        write_text(Path(page.path), release_page(made))
    size = sum(entry.bytes for entry in made.files.values())
    about = {"release": made.release, "members": list(made.members), "items": made.items, "bytes": size}
    release.metadata.update(about)
