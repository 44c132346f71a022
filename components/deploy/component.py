"""Kubeflow's door to the deploy stage."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output

from components.common.image import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def deploy(release: Input[Model], store: str, deployment: Output[Dataset]) -> str:
    """Publish a release after one real call per scenario; see components.deploy.run.deploy."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("deploy"):
        from components.deploy.run import deploy as run

        return str(run(Path(release.path), Path(store), Path(deployment.path))["release"])
