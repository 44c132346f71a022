"""`cuvee submit`: start the compiled pipeline on a Kubeflow Pipelines server, once or by the clock."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from components.common.config import Config
from components.common.errors import ConfigError, CuveeError

TOKEN = "KFP_TOKEN"
CRON_FIELDS = 6


class Wish(Config):
    """What is to be run."""

    compiled: Path = Field(description="a compiled pipeline")
    experiment: str = Field(description="the experiment's name")
    cron: str = Field(default="", description="seconds minutes hours day month weekday; empty: once, now")
    service_account: str = Field(default="cuvee-pipeline", description="the account of the steps")
    arguments: dict[str, Any] = Field(default={}, description="the pipeline's parameters")

    def checked(self) -> "Wish":
        """The same, found to be in order.

        Raises:
            ConfigError: the compiled pipeline is missing or has no such parameter, or the clock has not six fields.
        """
        if not self.compiled.exists():
            raise ConfigError(f"{self.compiled} does not exist. Write it with `cuvee compile`.")
        if self.cron and len(self.cron.split()) != CRON_FIELDS:
            raise ConfigError(
                f"cron: found {self.cron!r}, expected six fields, as in '0 0 3 * * *': at three each night."
            )
        spec = next(yaml.load_all(self.compiled.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))
        known = spec["root"].get("inputDefinitions", {}).get("parameters", {})
        unknown = sorted(self.arguments.keys() - known.keys())
        if unknown:
            raise ConfigError(f"{self.compiled} has no parameter {unknown[0]!r}; it has {', '.join(known)}.")
        return self


def submit(host: str, namespace: str, wish: Wish) -> str:
    """Create one run, or a recurring one, and return its id; the token comes from the environment variable KFP_TOKEN.

    Raises:
        ConfigError: the compiled pipeline is missing, or the cron expression has not six fields.
        CuveeError: the server cannot be reached or refuses the run.
    """
    wish.checked()
    with connected(host, namespace) as connection:
        return recur(connection, namespace, wish) if wish.cron else _once(connection, namespace, wish)


@contextmanager
def connected(host: str, namespace: str) -> Iterator[Any]:
    """A client of the server, whose refusals are said plainly.

    Raises:
        CuveeError: the server cannot be reached or refuses.
    """
    from kfp import client
    from kfp_server_api import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield client.Client(host=host, namespace=namespace, existing_token=os.environ.get(TOKEN))
    except ApiException as error:
        raise CuveeError(
            f"{host} refused the run ({error.status} {error.reason}). Check {TOKEN} and --namespace."
        ) from error
    except HTTPError as error:
        raise CuveeError(f"{host} cannot be reached: {error}. Expected the Kubeflow Pipelines endpoint.") from error


def _once(connection: Any, namespace: str, wish: Wish) -> str:
    run = connection.create_run_from_pipeline_package(
        str(wish.compiled),
        arguments=wish.arguments,
        experiment_name=wish.experiment,
        namespace=namespace,
        service_account=wish.service_account,
    )
    return str(run.run_id)


def recur(connection: Any, namespace: str, wish: Wish, name: str = "", description: str = "") -> str:
    """Create a recurring run and return its id: one after the other, none made up for that was missed."""
    experiment = connection.create_experiment(wish.experiment, namespace=namespace)
    run = connection.create_recurring_run(
        experiment_id=experiment.experiment_id,
        job_name=name or re.sub(r"[^a-z0-9-]", "-", wish.compiled.stem.lower()),
        description=description or None,
        cron_expression=wish.cron,
        max_concurrency=1,
        no_catchup=True,
        params=wish.arguments,
        pipeline_package_path=str(wish.compiled),
        service_account=wish.service_account,
    )
    return str(run.recurring_run_id)
