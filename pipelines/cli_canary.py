"""The command that watches a canary."""

from typing import Annotated

import typer

STABLE, SHARE, REPLICAS = "stable", "canary_then_stable", "canary"  # infra/canary/entry.py


def watch_canary(
    figures: Annotated[str, typer.Option(help="Where the entry gives its figures: an Envoy's /stats/prometheus.")],
    roll_back: Annotated[list[str], typer.Argument(help="After --: the command that takes the canary's share away.")],
    seconds: Annotated[float, typer.Option(help="How long to watch.")] = 600.0,
    stable: Annotated[str, typer.Option(help="Envoy's cluster of the stable release.")] = STABLE,
    share: Annotated[str, typer.Option(help="The cluster that the canary's share names.")] = SHARE,
    replicas: Annotated[str, typer.Option(help="The cluster of the canary's own replicas.")] = REPLICAS,
) -> None:
    """Watch a canary; as soon as it fails more, takes longer or is not ready, roll back and end with 3."""
    from components.deploy.canary import Names, Watcher, figures_at, run_command, watch

    watcher = Watcher(lambda: figures_at(figures), Names(stable, share, replicas))
    watch(watcher, seconds, lambda: run_command(roll_back))
    typer.echo(f"no worse for {seconds:.0f} s")
