"""`cuvee submit`: start the compiled pipeline on a Kubeflow Pipelines server."""

import os
from pathlib import Path
from typing import Any

from components.common.errors import ConfigError, CuveeError

TOKEN = "KFP_TOKEN"


def submit(host: str, namespace: str, experiment: str, compiled: Path, arguments: dict[str, Any]) -> str:
    """Create one run and return its id; the token comes from the environment variable KFP_TOKEN.

    Raises:
        ConfigError: the compiled pipeline is missing.
        CuveeError: the server cannot be reached or refuses the run.
    """
    if not compiled.exists():
        raise ConfigError(f"{compiled} does not exist. Write it with `cuvee compile`.")
    from kfp import client
    from kfp_server_api import ApiException
    from urllib3.exceptions import HTTPError

    try:
        connection = client.Client(host=host, namespace=namespace, existing_token=os.environ.get(TOKEN))
        run = connection.create_run_from_pipeline_package(
            str(compiled), arguments=arguments, experiment_name=experiment, namespace=namespace
        )
    except ApiException as error:
        raise CuveeError(
            f"{host} refused the run ({error.status} {error.reason}). Check {TOKEN} and --namespace."
        ) from error
    except HTTPError as error:
        raise CuveeError(f"{host} cannot be reached: {error}. Expected the Kubeflow Pipelines endpoint.") from error
    return str(run.run_id)
