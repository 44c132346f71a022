"""Kubeflow's doors to the materialize stage: states of the run, and the store's online rows."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output

from components.common.image import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def materialize(prepared: Input[Dataset], embeddings: Input[Model], features: Output[Dataset]) -> None:
    """Write Feast sources and point-in-time states; see components.materialize.run.materialize."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("materialize"):
        from components.materialize.run import materialize

        features.metadata["users"] = materialize(Path(prepared.path), Path(embeddings.path), Path(features.path))


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def materialize_online(features: Input[Dataset], store: str) -> None:
    """Bring the store's online rows up to the last event; see components.materialize.online.materialize_online."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("materialize_online"):
        from components.materialize.online import materialize_online

        materialize_online(Path(features.path), Path(store))


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def states_of_everyone(store: str, as_of: str, states: Output[Dataset]) -> int:
    """Ask Feast for every user's state at one moment; see components.materialize.everyone.everyone."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("states_of_everyone"):
        from components.materialize.everyone import everyone

        return everyone(Path(store), Path(states.path), as_of)
