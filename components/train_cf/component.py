"""The kfp door of collaborative filtering."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output

from components.common.image import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def train_cf(prepared: Input[Dataset], effort: str, seed: int, members: Output[Model], settings: str = "") -> None:
    """Train popularity, factorisation, neighbourhoods and repurchase; see components.train_cf.run."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("train_cf"):
        from components.train_cf.run import train_cf

        train_cf(Path(prepared.path), Path(members.path), effort, seed, settings)
