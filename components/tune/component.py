"""Kubeflow's doors to tuning."""

from kfp import dsl
from kfp.dsl import HTML, Artifact, Dataset, Input, Model, Output

from components.common.image import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def tune_members(
    prepared: Input[Dataset],
    embeddings: Input[Model],
    family: str,
    effort: str,
    trials: int,
    seconds: float,
    seed: int,
    journal: str,
    found: Output[Artifact],
    report: Output[HTML],
) -> str:
    """Search the numbers of one family's members; see components.tune.run.tune_members."""
    from pathlib import Path

    from components.common.stage import stage

    with stage(f"tune_{family}"):
        from components.tune.run import Task, show, tune_members

        task = Task.of(effort, trials, seconds, seed, journal)
        settings = tune_members(family, Path(prepared.path), Path(embeddings.path), Path(found.path), task)
        return show(settings, Path(found.path), Path(report.path))


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def tune_fusion(
    prepared: Input[Dataset],
    embeddings: Input[Model],
    features: Input[Dataset],
    cf: Input[Model],
    deep: Input[Model],
    text: Input[Model],
    rules: Input[Model],
    cf_settings: str,
    deep_settings: str,
    text_settings: str,
    effort: str,
    trials: int,
    seconds: float,
    seed: int,
    journal: str,
    found: Output[Artifact],
    report: Output[HTML],
) -> None:
    """Search how weights are learned, and write all that was found; see components.tune.run.tune_fusion."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("tune_fusion"):
        from components.fuse.run import Inputs
        from components.tune.run import Task, show, tune_fusion

        shop, texts, states, out = (Path(part.path) for part in (prepared, embeddings, features, found))
        inputs = Inputs(shop, texts, states, tuple(Path(family.path) for family in (cf, deep, text, rules)))
        task = Task.of(effort, trials, seconds, seed, journal)
        known = (cf_settings, deep_settings, text_settings)
        show(tune_fusion(inputs, known, out, task), out, Path(report.path))
