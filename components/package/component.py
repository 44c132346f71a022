"""Kubeflow's door to the package stage."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output

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
) -> None:
    """Assemble one release with its manifest of hashes; see components.package.run.package."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("package"):
        from components.package.run import package

        members = [Path(family.path) for family in (cf, deep, text, rules)]
        made = package(Path(prepared.path), Path(embeddings.path), Path(fusion.path), members, Path(release.path))
    release.metadata.update({"release": made.release, "members": list(made.members), "items": made.items})
