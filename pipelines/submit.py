"""`cuvee submit`: start the compiled pipeline on a Kubeflow Pipelines server."""

import os
from pathlib import Path
from typing import Any

from components.common.errors import ConfigError

TOKEN = "KFP_TOKEN"


def submit(host: str, namespace: str, experiment: str, compiled: Path, arguments: dict[str, Any]) -> str:
    """Create one run and return its id; the token comes from the environment variable KFP_TOKEN.

    Raises:
        ConfigError: the compiled pipeline is missing.
    """
    if not compiled.exists():
        raise ConfigError(f"{compiled} does not exist. Write it with `cuvee compile`.")
    from kfp import client

    connection = client.Client(host=host, namespace=namespace, existing_token=os.environ.get(TOKEN))
    run = connection.create_run_from_pipeline_package(
        str(compiled), arguments=arguments, experiment_name=experiment, namespace=namespace
    )
    return str(run.run_id)
