"""What Kubeflow's UI shows of the features."""

from pathlib import Path

import pyarrow.parquet as pq

from components.common.moments import moment
from components.common.page import page, table


def states_page(features: Path) -> str:
    """A page of the users whose state at each cut is known."""
    files = sorted((features / "states").glob("*.parquet"))
    return page("User states", table(("cut", "users"), [(one.stem, pq.read_metadata(one).num_rows) for one in files]))


def online_page(until: int) -> str:
    """A page of how far the online features reach (*until*, µs)."""
    return page("Online features", f"What happened until {moment(until).isoformat()} is known online.")


def everyone_page(users: int, as_of: str) -> str:
    """A page of whose states were asked for."""
    return page("User states", table(("users", "as of"), [(users, as_of)]))
