"""The main pipeline, from a shop's tables to a published, answering release.

1. ingest       a source -> the shop's tables, user ids pseudonymised
2. validate     Great Expectations suites; stops the run on the first broken promise
3. prepare      clean, normalise, split by time
4. encode       titles and descriptions, photos, sounds and clips -> vectors
5. materialize  Feast: point-in-time user states for every cut
6. train        deep (TensorFlow), cf and text (PyTorch), rules: once per cut
7. fuse         fit every blend on the fit windows; choose the best
8. package      one release: members, encoder, fusion, rules, manifest of hashes
9. evaluate     drive the serving engine with that very release; judge it against champion and best member
10. go live     only past the gate: features online, publish, one real inference call

Whatever became of these, `report_ending` says how the run ended and which release serves.
"""

from kfp import dsl

from components.deploy.component import deploy, report_ending
from components.encode.component import encode
from components.evaluate.component import evaluate
from components.fuse.component import fuse
from components.ingest.component import ingest
from components.materialize.component import materialize, materialize_online
from components.package.component import package
from components.prepare.component import prepare
from components.train_cf.component import train_cf
from components.train_deep.component import train_deep
from components.train_rules.component import train_rules
from components.train_text.component import train_text
from components.validate.component import validate


@dsl.pipeline(name="train-and-deploy", description="Validate, train, fuse, evaluate and deploy a shop's ranking.")
def train_and_deploy(
    data: str = "complete-journey",
    config: str = "",
    relations: str = "",
    protocol: str = "temporal",
    effort: str = "fast",
    seed: int = 0,
    store: str = "store",
    encoder: str = "minilm-int8",
    settings: str = "",
    image_encoder: str = "auto",
    smaller: str = "none",
) -> None:
    """Train, fuse, evaluate and, past the gate, deploy.

    Args:
        data: `complete-journey`, `bazaar`, or the folder of a shop's tables.
        config: a shop.yaml; empty: the one beside the tables.
        relations: known complements and substitutes, used as truth in the report only.
        protocol: `temporal` or `leave-one-out`.
        effort: `fast` (two fit windows) or `full` (three, and longer training).
        seed: every random choice follows from it.
        store: where releases, the registry and online features are kept.
        encoder: `minilm-int8`, or the folder of a text encoder.
        settings: a settings file of `cuvee tune`, or its content as JSON; empty: the run chooses every number.
        image_encoder: what looks at photos: `mobilenet-v2` (a package's weights), `own-categories` (a small network
            that learns the catalogue's own), a folder, or `auto`: the package where it is installed.
        smaller: `none`, or `float16`, `int8`, `pruned`, `pruned-int8`: keep the release in fewer bytes; `distilled`: a
            student that recommends instead of the blend. Taken where at most .1% of NDCG@10 is lost on the fit windows.
    """
    with dsl.ExitHandler(report_ending(store=store), name="run"):
        tables = ingest(source=data, config=config, store=store)
        checked = validate(tables=tables.outputs["tables"])
        prepared = prepare(checked=checked.outputs["checked"], protocol=protocol, effort=effort, seed=seed)
        shop = prepared.outputs["prepared"]
        embeddings = encode(prepared=shop, encoder=encoder, image_encoder=image_encoder).outputs["embeddings"]
        features = materialize(prepared=shop, embeddings=embeddings).outputs["features"]

        deep = train_deep(prepared=shop, embeddings=embeddings, effort=effort, seed=seed, settings=settings).outputs[
            "members"
        ]
        cf = train_cf(prepared=shop, effort=effort, seed=seed, settings=settings).outputs["members"]
        text = train_text(prepared=shop, embeddings=embeddings, effort=effort, seed=seed, settings=settings).outputs[
            "members"
        ]
        rules = train_rules(prepared=shop, embeddings=embeddings, seed=seed, settings=settings).outputs["members"]

        fusion = fuse(
            prepared=shop, embeddings=embeddings, features=features, cf=cf, deep=deep, text=text, rules=rules,
            effort=effort, seed=seed, settings=settings,
        ).outputs["fusion"]  # fmt: skip
        release = package(
            prepared=shop,
            embeddings=embeddings,
            fusion=fusion,
            cf=cf,
            deep=deep,
            text=text,
            rules=rules,
            smaller=smaller,
        ).outputs["release"]
        verdict = evaluate(
            release=release, prepared=shop, features=features, fusion=fusion, store=store, relations=relations
        )  # fmt: skip

        with dsl.If(verdict.outputs["Output"] == True, name="gate"):  # noqa: E712  (a pipeline condition, not Python's)
            online = materialize_online(features=features, store=store)
            deploy(release=release, store=store).after(online)
