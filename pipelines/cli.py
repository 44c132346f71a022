"""The command line: run, tune, bazaar, compile, submit, serve, ask."""

import logging
import sys
from pathlib import Path
from typing import Annotated, cast

import typer

from components.common.config import Effort, Protocol, Smaller
from components.common.errors import ConfigError, CuveeError
from pipelines import cli_canary, cli_search

log = logging.getLogger("cuvee")
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
ask_app = typer.Typer(no_args_is_help=True, help="Ask a running server.")
app.add_typer(ask_app, name="ask")
app.command()(cli_search.tune)
app.command("tune-family")(cli_search.tune_family)
app.command()(cli_search.katib)
app.command()(cli_search.trial)
app.command("watch-canary")(cli_canary.watch_canary)

Url = Annotated[str, typer.Option(help="The server.")]
Store = Annotated[Path, typer.Option(help="Where releases and online features are kept.")]
Count = Annotated[int, typer.Option("-k", help="How many items.")]
DEFAULT_URL = "http://localhost:8080"


@app.command()
def run(
    data: Annotated[str, typer.Option(help="complete-journey, bazaar, or the folder of a shop's tables.")],
    out: Annotated[Path, typer.Option(help="The folder of this run: report, release, log.")],
    config: Annotated[str, typer.Option(help="A shop.yaml; default: the one beside the tables.")] = "",
    relations: Annotated[str, typer.Option(help="True complements and substitutes, for the report only.")] = "",
    protocol: Annotated[str, typer.Option(help="temporal or leave-one-out.")] = "temporal",
    effort: Annotated[str, typer.Option(help="fast or full.")] = "fast",
    seed: Annotated[int, typer.Option(help="Every random choice follows from it.")] = 0,
    store: Annotated[Path | None, typer.Option(help="Where to publish; default OUT/store.")] = None,
    encoder: Annotated[str, typer.Option(help="minilm-int8, or a text encoder's folder.")] = "minilm-int8",
    settings: Annotated[str, typer.Option(help="Numbers found by cuvee tune; default: the run chooses.")] = "",
    image_encoder: Annotated[str, typer.Option(help="auto, mobilenet-v2, own-categories, or a folder.")] = "auto",
    smaller: Annotated[str, typer.Option(help="float16, int8, pruned, pruned-int8, distilled.")] = "none",
    compiled: Annotated[Path | None, typer.Option(help="Run this compiled pipeline instead.")] = None,
) -> None:
    """Run the whole pipeline on this machine."""
    from pipelines.run import RunSettings
    from pipelines.run import run as run_pipeline

    asked = RunSettings.parse(
        {
            "data": data, "out": out, "config": config, "relations": relations, "protocol": cast(Protocol, protocol),
            "effort": cast(Effort, effort), "seed": seed, "store": store or out / "store", "encoder": encoder,
            "settings": settings, "image_encoder": image_encoder, "smaller": cast(Smaller, smaller),
            "compiled": compiled,
        },
        "options of cuvee run",
    )  # fmt: skip
    raise typer.Exit(run_pipeline(asked))


@app.command()
def bazaar(
    out: Annotated[Path, typer.Option(help="A new or empty folder for the shop.")],
    users: Annotated[int, typer.Option(help="How many users.")] = 2000,
    items: Annotated[int, typer.Option(help="How many items.")] = 1000,
    seed: Annotated[int, typer.Option(help="Every random choice follows from it.")] = 0,
    media: Annotated[bool, typer.Option(help="Write photos, jingles and clips too.")] = True,
) -> None:
    """Write a simulated shop, with its truth apart: for tests and demonstrations, never to claim quality."""
    from components.ingest.bazaar.config import BazaarConfig
    from components.ingest.bazaar.run import write_bazaar

    asked = BazaarConfig.parse({"users": users, "items": items, "seed": seed}, "options of cuvee bazaar")
    for name, count in write_bazaar(asked, out, media).items():
        typer.echo(f"{name:<16} {count:>10,}")


@app.command("fine-tune")
def fine_tune_encoder(
    run: Annotated[Path, typer.Option(help="The folder of a finished run.")],
    out: Annotated[Path, typer.Option(help="A folder to write, for cuvee run --encoder.")],
    seed: Annotated[int, typer.Option(help="Every random choice follows from it.")] = 0,
) -> None:
    """Fine-tune the text encoder on a run's texts and searches; the model as it was, where that does not help."""
    from components.train_text.fine_tune import fine_tune
    from components.train_text.pairs_of_texts import pairs_of_texts

    tuned = fine_tune(pairs_of_texts(_prepared(run)), out, seed)
    log.info("loss of the last pass: %.4f", tuned.loss)
    told = "kept" if tuned.kept else "not kept: the model is as it was"
    typer.echo(f"{tuned.pairs} pairs learned from, {tuned.held_out} held out; {told}")
    typer.echo(f"partner first: {tuned.before:.3f} before, {tuned.after:.3f} after")


@app.command("distil-encoder")
def distil_encoder(
    run: Annotated[Path, typer.Option(help="The folder of a finished run.")],
    out: Annotated[Path, typer.Option(help="A folder to write, for cuvee run --encoder.")],
    seed: Annotated[int, typer.Option(help="Every random choice follows from it.")] = 0,
) -> None:
    """Distil a run's text encoder into a table that encodes queries without the network; items keep its vectors."""
    from components.train_text.distil import FIRST, distil

    embeddings = _output(run, "encode/embeddings", "encoded items")
    told = distil(_prepared(run), embeddings / "encoder", embeddings / "text.npy", out, seed)
    typer.echo(f"{told.texts} texts learned from, {told.rows} rows; judged by {told.judged} texts of other items")
    typer.echo(f"cosine with the encoder's vectors: {told.cosine:.3f}")
    typer.echo(
        f"of the encoder's first {FIRST} items: {told.before:.3f} by its single tokens, {told.overlap:.3f} learned"
    )


@app.command("compile")
def compile_pipelines(
    out: Annotated[Path, typer.Option(help="Where the YAML goes.")] = Path("pipelines/compiled"),
    docs: Annotated[Path, typer.Option(help="Where the diagram goes.")] = Path("docs/pipeline.md"),
    gpu: Annotated[bool, typer.Option("--gpu", help="Training steps on GPU nodes.")] = False,
    cluster: Annotated[
        Path | None, typer.Option(help="A YAML file of what the cluster decides: pipelines/cluster.py.")
    ] = None,
    gitops: Annotated[
        str, typer.Option(help="Write Pipeline and PipelineVersion objects for this namespace as well.")
    ] = "",
) -> None:
    """Compile the pipelines for Kubeflow and draw their diagram."""
    from pipelines.cluster import Cluster
    from pipelines.compile import compile_all, diagram, write_gitops

    decided = Cluster.from_yaml(cluster) if cluster else Cluster()
    written = compile_all(out, decided.model_copy(update={"gpu": gpu or decided.gpu}))
    docs.write_text(f"# The main pipeline\n\nGenerated by `cuvee compile`.\n\n{diagram(written[0])}", encoding="utf-8")
    for path in (*written, *(write_gitops(written, gitops) if gitops else []), docs):
        log.info("wrote %s", path)


@app.command()
def submit(
    host: Annotated[str, typer.Option(help="The Kubeflow Pipelines endpoint.")],
    namespace: Annotated[str, typer.Option(help="The profile's namespace.")] = "kubeflow",
    experiment: Annotated[str, typer.Option(help="The experiment's name.")] = "cuvee",
    data: Annotated[str, typer.Option(help="The pipeline's data parameter.")] = "complete-journey",
    store: Annotated[str, typer.Option(help="The pipeline's store parameter.")] = "/store",
    compiled: Annotated[
        Path | None, typer.Option(help="The compiled pipeline; default: the one for CPU nodes.")
    ] = None,
    cron: Annotated[str, typer.Option(help="Start it again and again: seconds minutes hours day month weekday.")] = "",
    service_account: Annotated[str, typer.Option(help="The account of the steps.")] = "cuvee-pipeline",
) -> None:
    """Start the compiled pipeline on a cluster, once or by the clock; the token comes from KFP_TOKEN."""
    from pipelines.compile import COMPILED
    from pipelines.submit import Wish
    from pipelines.submit import submit as submit_run

    wish = Wish(
        compiled=compiled or COMPILED / "train_and_deploy.yaml", experiment=experiment, cron=cron,
        service_account=service_account, arguments={"data": data, "store": store},
    )  # fmt: skip
    log.info("%s %s", "recurring run" if cron else "run", submit_run(host, namespace, wish))


@app.command()
def schedule(
    schedules: Annotated[Path, typer.Argument(help="The file of the recurring runs; docs/operations.md has one.")],
    host: Annotated[str, typer.Option(help="The Kubeflow Pipelines endpoint.")],
    namespace: Annotated[str, typer.Option(help="The profile's namespace.")] = "kubeflow",
) -> None:
    """Make the recurring runs of a namespace follow a file; the token comes from KFP_TOKEN."""
    from pipelines.schedule import schedule as follow

    for line in follow(host, namespace, schedules):
        log.info("%s", line)


@app.command()
def serve(
    store: Store = Path("runs/demo/store"),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8080,
    as_of: Annotated[str, typer.Option(help="The clock: release (its last event), now, or an ISO time.")] = "release",
    rules: Annotated[
        Path | None, typer.Option(help="Rules to follow over the release's own, read again when they change.")
    ] = None,
    shop: Annotated[
        Path | None, typer.Option(help="The shop's own folder: photos, users and queries for the page.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="So many processes answer at the one address.")] = 1,
) -> None:
    """Serve the store's current release, and beside it the page /storefront/."""
    import os

    command = ["-m", "serving.server", "--store", str(store), "--host", host, "--port", str(port), "--as-of", as_of]
    command += ["--workers", str(workers)] if workers > 1 else []
    command += ["--rules", str(rules)] if rules else []
    command += ["--page", *(["--shop", str(shop)] if shop else [])]
    os.execv(sys.executable, [sys.executable, *command])


@app.command("batch-recommend")
def batch_recommend(
    out: Annotated[Path, typer.Option(help="A folder; the lists go to OUT/recommendations, as Parquet.")],
    store: Store = Path("runs/demo/store"),
    k: Count = 10,
    as_of: Annotated[str, typer.Option(help="The moment: release (its last event), now, or an ISO time.")] = "release",
    workers: Annotated[int, typer.Option(help="Workers of Ray (cuvee[ray]); 0: this process.")] = 0,
) -> None:
    """Write the best items for every user the store knows, under their pseudonyms."""
    from pipelines.run_batch import run_batch

    raise typer.Exit(run_batch(store, out, k, as_of, workers))


@app.command("mine-rules")
def mine_rules(
    run: Annotated[Path, typer.Option(help="The folder of a finished run.")],
    out: Annotated[Path, typer.Option(help="The YAML file to write.")],
) -> None:
    """Write the association rules of a run's baskets, with their confidence, for cuvee serve --rules."""
    from components.train_rules.run import mine_rules as mine

    log.info("wrote %d rules to %s", mine(_prepared(run), out), out)


def _prepared(run: Path) -> Path:
    return _output(run, "prepare/prepared", "prepared shop")


def _output(run: Path, place: str, what: str) -> Path:
    """The folder that a step of a finished run has written, as step/artifact."""
    found = next((run / "pipeline").glob(f"*/{place}"), None)
    if found is None:
        raise ConfigError(f"{run} holds no {what}, expected the folder of a finished `cuvee run`.")
    return found


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The folder of a finished run.")] = Path("runs/demo"),
    user: Annotated[str, typer.Option(help="A raw user id of the shop.")] = "208",
    query: Annotated[str, typer.Option(help="A search.")] = "chocolate ice cream",
) -> None:
    """Serve a finished run's release and ask it once per scenario."""
    from pipelines.demo import demo as show_demo

    show_demo(out, out / "store", user, query)


@ask_app.command("recommend")
def ask_recommend(user: str, k: Count = 10, url: Url = DEFAULT_URL, store: Store = Path("runs/demo/store")) -> None:
    """Items for a user."""
    _ask({"scenario": "recommend", "user_id": user}, k, url, store)


@ask_app.command("search")
def ask_search(query: str, k: Count = 10, url: Url = DEFAULT_URL, store: Store = Path("runs/demo/store")) -> None:
    """Items for a query."""
    _ask({"scenario": "search", "query": query}, k, url, store)


@ask_app.command("similar")
def ask_similar(item: str, k: Count = 10, url: Url = DEFAULT_URL, store: Store = Path("runs/demo/store")) -> None:
    """Items like an item."""
    _ask({"scenario": "similar", "item_id": item}, k, url, store)


def _ask(instance: dict[str, object], k: int, url: str, store: Path) -> None:
    from components.deploy.publish import champion
    from components.deploy.trial import ask_v1
    from pipelines.ask import show, titles

    release = champion(store)
    show(ask_v1(url, instance | {"k": k, "explain": True}), titles(release) if release else {})


@app.command()
def pseudonym(
    user: str,
    store: Store = Path("runs/demo/store"),
) -> None:
    """Print the pseudonym under which the store knows a user."""
    from components.common.identity import id_key
    from components.common.identity import pseudonym as of

    typer.echo(of(user, id_key(store)))


@app.command()
def rollback(
    store: Store = Path("runs/demo/store"),
    to: Annotated[str, typer.Option(help="A release's digest; default: the one before.")] = "",
) -> None:
    """Serve an earlier release of the store again."""
    from components.deploy.publish import rollback as roll_back

    typer.echo(roll_back(store, to or None))


def main() -> None:
    """Entry of the console script: errors raised on purpose become one message and their exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        app()
    except CuveeError as error:
        log.error("%s", error)
        raise SystemExit(error.exit_code) from error


if __name__ == "__main__":
    main()
