"""prepare's Kubeflow face."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from components.common.image import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def prepare(checked: Input[Dataset], protocol: str, effort: str, seed: int, prepared: Output[Dataset]) -> None:
    """Clean, normalise and split the checked tables; see components.prepare.run.prepare."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("prepare"):
        from components.prepare.run import prepare

        prepared.metadata.update(prepare(Path(checked.path), Path(prepared.path), protocol, effort, seed))
