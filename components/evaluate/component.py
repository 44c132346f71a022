"""Kubeflow's door to the evaluate stage."""

from kfp import dsl
from kfp.dsl import HTML, ClassificationMetrics, Dataset, Input, Markdown, Metrics, Model, Output

from components.common.image import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def evaluate(
    release: Input[Model],
    prepared: Input[Dataset],
    features: Input[Dataset],
    fusion: Input[Model],
    metrics: Output[Metrics],
    report: Output[HTML],
    card: Output[Markdown],
    curve: Output[ClassificationMetrics],
    clicks: Output[ClassificationMetrics],
    evaluation: Output[Dataset],
    store: str = "",
    relations: str = "",
) -> bool:
    """Judge the release on the test; see components.evaluate.run.evaluate."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("evaluate"):
        from components.evaluate.run import evaluate as run
        from components.evaluate.show import show

        package, shop, states, blends, out = (
            Path(part.path) for part in (release, prepared, features, fusion, evaluation)
        )
        found = run(package, shop, states, blends, store, relations, out)
        return show(found, out, metrics, report, card, curve, clicks)
