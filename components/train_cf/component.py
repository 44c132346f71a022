"""The kfp door of collaborative filtering."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Markdown, Model, Output

from components.common.image import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def train_cf(
    prepared: Input[Dataset],
    effort: str,
    seed: int,
    members: Output[Model],
    page: Output[Markdown],
    settings: str = "",
) -> None:
    """Train popularity, factorisation, neighbourhoods and repurchase; see components.train_cf.run."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("train_cf"):
        from components.common.files import write_text
        from components.common.page import members_page
        from components.train_cf.run import train_cf

        train_cf(Path(prepared.path), Path(members.path), effort, seed, settings)
        write_text(Path(page.path), members_page("Members of collaborative filtering", Path(members.path)))
