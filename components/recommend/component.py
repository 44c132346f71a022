"""Kubeflow's door to the recommend stage."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Markdown, Output

from components.common.image import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def recommend(
    store: str, states: Input[Dataset], lists: Output[Dataset], page: Output[Markdown], k: int, workers: int
) -> None:
    """Write the k best of every user of *states* by the store's release; see components.recommend.run.recommend."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("recommend"):
        from components.common.files import write_text
        from components.recommend.page import lists_page
        from components.recommend.run import recommend_from_store

        summary = recommend_from_store(Path(store), Path(states.path), Path(lists.path), k, workers)
        lists.metadata.update(summary)
        write_text(Path(page.path), lists_page(summary))
