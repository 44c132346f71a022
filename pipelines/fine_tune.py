"""The text encoder tuned on a shop's own texts and searches, for `encoder` of the main pipeline."""

from kfp import dsl

from components.ingest.component import ingest
from components.prepare.component import prepare
from components.train_text.component import fine_tune as tune_encoder
from components.validate.component import validate


@dsl.pipeline(
    name="fine-tune", description="Fine-tune the text encoder on a shop's texts, in the step or by a TrainJob."
)
def fine_tune(
    data: str = "complete-journey",
    config: str = "",
    protocol: str = "temporal",
    effort: str = "fast",
    seed: int = 0,
    store: str = "store",
    name: str = "tuned",
    nodes: int = 0,
    source: str = "",
    settings: str = "{}",
) -> None:
    """Tune an encoder; it goes to store/encoders/name.

    Args:
        data: `complete-journey`, `bazaar`, or the folder of a shop's tables.
        config: a shop.yaml; empty: the one beside the tables.
        protocol: `temporal` or `leave-one-out`, as in the run that will use the encoder.
        effort: `fast` or `full`, as in the run that will use the encoder.
        seed: every random choice follows from it.
        store: where the encoder is kept; a volume that nodes of a job mount at the same path.
        name: of the encoder's folder.
        nodes: 0: one process, in the step; else a TrainJob of Kubeflow Trainer over so many nodes.
        source: folder or package of the model to begin with; empty: the packaged MiniLM.
        settings: numbers of the fine-tuning that differ, as JSON, such as {"epochs": 2}.
    """
    tables = ingest(source=data, config=config, store=store)
    checked = validate(tables=tables.outputs["tables"])
    prepared = prepare(checked=checked.outputs["checked"], protocol=protocol, effort=effort, seed=seed)
    tune_encoder(
        prepared=prepared.outputs["prepared"],
        store=store,
        name=name,
        seed=seed,
        nodes=nodes,
        source=source,
        settings=settings,
    )
