"""Kubeflow's doors to the materialize stage: states of the run, and the store's online rows."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Markdown, Model, Output

from components.common.image import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def materialize(
    prepared: Input[Dataset], embeddings: Input[Model], features: Output[Dataset], page: Output[Markdown]
) -> None:
    """Write Feast sources and point-in-time states; see components.materialize.run.materialize."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("materialize"):
        from components.common.files import write_text
        from components.materialize.page import states_page
        from components.materialize.run import materialize

        features.metadata["users"] = materialize(Path(prepared.path), Path(embeddings.path), Path(features.path))
        write_text(Path(page.path), states_page(Path(features.path)))


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def materialize_online(features: Input[Dataset], store: str, page: Output[Markdown]) -> None:
    """Bring the store's online rows up to the last event; see components.materialize.online.materialize_online."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("materialize_online"):
        from components.common.files import write_text
        from components.materialize.online import materialize_online
        from components.materialize.page import online_page

        until = materialize_online(Path(features.path), Path(store))
        write_text(Path(page.path), online_page(until))


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def states_of_everyone(store: str, as_of: str, states: Output[Dataset], page: Output[Markdown]) -> int:
    """Ask Feast for every user's state at one moment; see components.materialize.everyone.everyone."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("states_of_everyone"):
        from components.common.files import write_text
        from components.materialize.everyone import everyone
        from components.materialize.page import everyone_page

        users = everyone(Path(store), Path(states.path), as_of)
        write_text(Path(page.path), everyone_page(users, as_of))
        return users
