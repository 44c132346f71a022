"""Kubeflow's doors to the deploy stage: publishing, and what a run says at its end."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Markdown, Model, Output, PipelineTaskFinalStatus

from components.common.image import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def deploy(release: Input[Model], store: str, deployment: Output[Dataset], page: Output[Markdown]) -> str:
    """Publish a release after one real call per scenario; see components.deploy.run.deploy."""
    from pathlib import Path

    from components.common.stage import stage

    with stage("deploy"):
        from components.common.files import write_text
        from components.deploy.page import deployment_page
        from components.deploy.run import deploy as run

        deployed = run(Path(release.path), Path(store), Path(deployment.path), source=release.uri)
        write_text(Path(page.path), deployment_page(deployed))
        return str(deployed["release"])


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def report_ending(store: str, ending: Output[Markdown], status: PipelineTaskFinalStatus) -> None:
    """Say how the run ended, whatever became of it; see components.deploy.ended.report_ending."""
    from pathlib import Path

    from components.deploy.ended import Ended, folder_of_run
    from components.deploy.ended import report_ending as run

    artifacts = folder_of_run(ending.uri, "report-ending")
    ended = Ended(status.state, status.pipeline_job_resource_name, artifacts, status.error_message or "")
    Path(ending.path).parent.mkdir(parents=True, exist_ok=True)
    Path(ending.path).write_text(run(ended, Path(store)), encoding="utf-8")
