"""Kubeflow's door to the train_text stage."""

from kfp import dsl
from kfp.dsl import ClassificationMetrics, Dataset, Input, Markdown, Model, Output

from components.common.image import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def train_text(
    prepared: Input[Dataset],
    embeddings: Input[Model],
    effort: str,
    seed: int,
    members: Output[Model],
    page: Output[Markdown],
    reviews: Output[ClassificationMetrics],
    settings: str = "",
) -> None:
    """Train the text members; see components.train_text.run.train_text."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("train_text"):
        from components.common.files import write_text
        from components.common.page import members_page
        from components.train_text.judged import show
        from components.train_text.run import train_text as run

        run(Path(prepared.path), Path(embeddings.path), Path(members.path), effort, seed, settings)
        write_text(Path(page.path), members_page("Members of texts and media", Path(members.path)))
        show(Path(members.path), reviews)


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def fine_tune(
    prepared: Input[Dataset],
    store: str,
    name: str,
    seed: int,
    page: Output[Markdown],
    nodes: int = 0,
    source: str = "",
    settings: str = "{}",
) -> None:
    """Tune the text encoder; see components.train_text.tuning.tune_encoder."""
    import json
    from pathlib import Path

    from components.common.stage import stage

    with stage("fine_tune"):
        from components.common.files import write_text
        from components.train_text.tuning import ENCODERS, tune_encoder, tuned_page

        # numbers come back from the server as floats
        given = (Path(prepared.path), Path(store), name, int(seed), int(nodes), source, json.loads(settings))
        write_text(Path(page.path), tuned_page(tune_encoder(*given), Path(store) / ENCODERS / name, int(nodes)))
