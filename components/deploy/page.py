"""What Kubeflow's UI shows of a deployment."""

from typing import Any

from components.common.page import page, table


def deployment_page(deployment: dict[str, Any]) -> str:
    """A page of what `deploy` returned: the release, the one before, and the calls that were made of it."""
    facts = [("release", deployment["release"]), ("before it", deployment["previous"] or "nothing")]
    facts.append(("seconds until it answered", deployment["start_s"]))
    calls = [(call["scenario"], call["protocol"], call["milliseconds"]) for call in deployment["calls"]]
    return page("Deployed", table(("what", "is"), facts), table(("asked", "protocol", "ms"), calls))
