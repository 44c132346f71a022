"""What Kubeflow's UI shows of lists for everybody."""

from typing import Any

from components.common.moments import moment
from components.common.page import page, table


def lists_page(summary: dict[str, Any]) -> str:
    """A page of what `recommend` returned."""
    told = summary | {"as_of": moment(summary["as_of"]).isoformat()}
    return page("Lists", table(("what", "is"), told.items()))
