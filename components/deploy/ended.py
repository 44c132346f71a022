"""What a run says at its end, whether it ended well or not: its state, what serves now, where its report is."""

import logging
from dataclasses import dataclass
from pathlib import Path

from components.common.errors import CuveeError
from serving.current import current_digest

log = logging.getLogger(__name__)
GOOD = "SUCCEEDED"


@dataclass(frozen=True)
class Ended:
    """A run that has ended, as Kubeflow's exit handler knows it."""

    state: str
    """SUCCEEDED, FAILED or CANCELLED."""
    run: str
    """Kubeflow's name of the run."""
    artifacts: str
    """Where the run keeps its artifacts, a folder a step."""
    message: str = ""
    """Why it failed."""


def report_ending(ended: Ended, store: Path) -> str:
    """Log one line, and return the same as a page of Markdown; a store that cannot be read is told, and no error.

    Args:
        ended: the run.
        store: where releases are published; nothing may be there yet.
    """
    serving = _serving(store)
    log.log(
        logging.INFO if ended.state == GOOD else logging.ERROR, "%s %s; serving %s", ended.run, ended.state, serving
    )
    lines = [
        f"# Run {ended.run}: {ended.state}",
        "",
        f"- serving now: `{serving}`",
        f"- artifacts: `{ended.artifacts}`",
    ]
    lines.append("- pages: `report` and `card` of the step `evaluate`, `data_docs` of `validate`, where these have run")
    if ended.message:
        lines += ["", "```", ended.message.replace("```", "'''"), "```"]
    return "\n".join(lines) + "\n"


def _serving(store: Path) -> str:
    try:
        return current_digest(store) or "nothing yet"
    except CuveeError as error:
        return f"unknown: {error}"


def folder_of_run(uri: str, step: str) -> str:
    """What precedes *step*'s own folder in the address of an artifact of it; all steps of its run share it.

    An address without that folder is returned as it is: whatever is wrong with it, the run's end has to be told.
    """
    before, found, _ = uri.rpartition(f"/{step}/")
    return before if found else uri
