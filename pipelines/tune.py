"""The tuning pipeline, from a shop's tables to settings that `cuvee run --settings` reads.

1. prepare      ingest, validate, prepare, encode, materialize: as in the main pipeline
2. tune members one search per member, a step per family side by side, on the latest of the earliest training's events
3. train        the members with what was found
4. tune fusion  how weights are learned, on the fit windows by cross-fitting

The test window is never looked at. Nothing is published.
"""

from kfp import dsl

from components.encode.component import encode
from components.ingest.component import ingest
from components.materialize.component import materialize
from components.prepare.component import prepare
from components.train_cf.component import train_cf
from components.train_deep.component import train_deep
from components.train_rules.component import train_rules
from components.train_text.component import train_text
from components.tune.component import tune_fusion, tune_members
from components.validate.component import validate


@dsl.pipeline(name="tune", description="Search the numbers of a shop's members and of their fusion.")
def tune(
    data: str = "complete-journey",
    config: str = "",
    protocol: str = "temporal",
    effort: str = "fast",
    seed: int = 0,
    store: str = "store",
    encoder: str = "minilm-int8",
    trials: int = 30,
    seconds: float = 600.0,
    journal: str = "",
) -> None:
    """Tune the members, train them, tune their fusion.

    Args:
        data: `complete-journey`, `bazaar`, or the folder of a shop's tables.
        config: a shop.yaml; empty: the one beside the tables.
        protocol: `temporal` or `leave-one-out`.
        effort: `fast` or `full`: users to judge by, and how long the members that fusion is tuned with may train.
        seed: every random choice follows from it.
        store: where the key of the pseudonyms is kept.
        encoder: `minilm-int8`, or the folder of a text encoder.
        trials: trials of each search, the start among them.
        seconds: of all searches together; a quarter goes to each family and to fusion.
        journal: a folder that keeps the trials, so that another run goes on where this one stopped; empty: none.
    """
    tables = ingest(source=data, config=config, store=store)
    checked = validate(tables=tables.outputs["tables"])
    prepared = prepare(checked=checked.outputs["checked"], protocol=protocol, effort=effort, seed=seed)
    shop = prepared.outputs["prepared"]
    embeddings = encode(prepared=shop, encoder=encoder).outputs["embeddings"]
    features = materialize(prepared=shop, embeddings=embeddings).outputs["features"]

    found = {}
    for family in ("cf", "text", "deep"):
        step = tune_members(
            prepared=shop, embeddings=embeddings, family=family, effort=effort, trials=trials, seconds=seconds,
            seed=seed, journal=journal,
        ).set_display_name(f"tune-{family}")  # fmt: skip
        found[family] = step.outputs["Output"]

    cf = train_cf(prepared=shop, effort=effort, seed=seed, settings=found["cf"])
    deep = train_deep(prepared=shop, embeddings=embeddings, effort=effort, seed=seed, settings=found["deep"])
    text = train_text(prepared=shop, embeddings=embeddings, effort=effort, seed=seed, settings=found["text"])
    rules = train_rules(prepared=shop, embeddings=embeddings, seed=seed)

    tune_fusion(
        prepared=shop, embeddings=embeddings, features=features, cf=cf.outputs["members"],
        deep=deep.outputs["members"], text=text.outputs["members"], rules=rules.outputs["members"],
        cf_settings=found["cf"], deep_settings=found["deep"], text_settings=found["text"], effort=effort,
        trials=trials, seconds=seconds, seed=seed, journal=journal,
    )  # fmt: skip
