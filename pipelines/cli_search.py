"""The verbs that search: tune, tune-family, and their counterparts for Katib, katib and trial."""

import logging
from pathlib import Path
from typing import Annotated, cast

import typer

from components.common.config import Effort, Protocol

log = logging.getLogger("cuvee")


def tune(
    data: Annotated[str, typer.Option(help="complete-journey, bazaar, or the folder of a shop's tables.")],
    out: Annotated[Path, typer.Option(help="The folder of this search: settings.yaml, report, trials.")],
    config: Annotated[str, typer.Option(help="A shop.yaml; default: the one beside the tables.")] = "",
    protocol: Annotated[str, typer.Option(help="temporal or leave-one-out.")] = "temporal",
    effort: Annotated[str, typer.Option(help="fast or full: users to judge by, length of trainings.")] = "fast",
    seed: Annotated[int, typer.Option(help="Every random choice follows from it.")] = 0,
    encoder: Annotated[str, typer.Option(help="minilm-int8, or a text encoder's folder.")] = "minilm-int8",
    trials: Annotated[int, typer.Option(help="Trials of each search, the start among them.")] = 30,
    seconds: Annotated[float, typer.Option(help="Time of all searches together.")] = 600.0,
) -> None:
    """Search the numbers of the members and of their fusion; go on where the last search in OUT stopped."""
    from pipelines.run_tune import TuneOptions
    from pipelines.run_tune import tune as run_tune

    asked = TuneOptions.parse(
        {
            "data": data, "out": out, "config": config, "protocol": cast(Protocol, protocol),
            "effort": cast(Effort, effort), "seed": seed, "encoder": encoder, "trials": trials, "seconds": seconds,
        },
        "options of cuvee tune",
    )  # fmt: skip
    raise typer.Exit(run_tune(asked))


def tune_family(
    run: Annotated[Path, typer.Option(help="The folder of a finished run.")],
    family: Annotated[str, typer.Option(help="cf, text or deep.")],
    out: Annotated[Path, typer.Option(help="The folder of this search: settings.yaml, report, trials.")],
    effort: Annotated[str, typer.Option(help="fast or full: users to judge by.")] = "fast",
    seed: Annotated[int, typer.Option(help="Every random choice follows from it.")] = 0,
    trials: Annotated[int, typer.Option(help="Trials of each search, the start among them.")] = 30,
    seconds: Annotated[float, typer.Option(help="Time of all searches together.")] = 150.0,
) -> None:
    """Search one family's members over what a finished run has prepared; go on where the last search in OUT stopped."""
    from pipelines.run_tune import FamilyOptions
    from pipelines.run_tune import tune_family as run_family

    values = {
        "run": run, "family": family, "out": out, "effort": cast(Effort, effort), "seed": seed, "trials": trials,
        "seconds": seconds,
    }  # fmt: skip
    for member, told in run_family(FamilyOptions.parse(values, "options of cuvee tune-family")).items():
        typer.echo(f"{member:<16} {told}")


def katib(
    run: Annotated[Path, typer.Option(help="The folder of a finished run, as trials see it: below /store.")],
    family: Annotated[str, typer.Option(help="cf, text or deep.")],
    member: Annotated[str, typer.Option(help="A member of the family.")],
    out: Annotated[Path, typer.Option(help="The YAML file to write.")],
    namespace: Annotated[str, typer.Option(help="Where the trials run.")] = "cuvee",
    seed: Annotated[int, typer.Option(help="Every random choice follows from it.")] = 0,
) -> None:
    """Write a member's search as a Katib Experiment, whose trials are cuvee trial."""
    import yaml

    from components.tune.katib import KatibSettings, experiment
    from pipelines.run_tune import TrialOptions, search_of, trial_command

    options = TrialOptions(run=run, family=family, member=member, seed=seed)
    one = experiment(search_of(options), trial_command(options), KatibSettings(namespace=namespace))
    out.write_text(yaml.safe_dump(one, sort_keys=False), encoding="utf-8")
    log.info("wrote %s", out)


def trial(
    run: Annotated[Path, typer.Option(help="The folder of a finished run.")],
    family: Annotated[str, typer.Option(help="cf, text or deep.")],
    member: Annotated[str, typer.Option(help="A member of the family.")],
    seed: Annotated[int, typer.Option(help="Every random choice follows from it.")] = 0,
    given: Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE; others stand at the start.")] = None,
) -> None:
    """Train a member once with these numbers and print how it does on the hold-out, for Katib."""
    from components.tune.katib import METRIC, judged
    from pipelines.run_tune import TrialOptions, search_of

    search = search_of(TrialOptions(run=run, family=family, member=member, seed=seed))
    parts = [text.partition("=") for text in given or []]
    typer.echo(f"{METRIC}={judged(search, {name: value for name, _, value in parts}):.6f}")
