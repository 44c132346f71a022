"""Are two runs' figures the same, bit for bit."""

from collections.abc import Iterator
from typing import Any

TIMED = {"seconds", "training_s", "stage_s", "ms_256", "ms_1"}  # what a clock says is never the same twice
PEERS = ("peers", "best_peer")  # their tuning ends by the clock


def differences(first: dict[str, Any], second: dict[str, Any]) -> tuple[list[str], int]:
    """Paths of the figures that differ, and how many were compared; times and peers are left out."""
    one, other = dict(_figures(first)), dict(_figures(second))
    paths = sorted(set(one) | set(other))
    return [path for path in paths if one.get(path) != other.get(path)], len(paths)


def _figures(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in TIMED and key not in PEERS and not key.startswith("peer/"):
                yield from _figures(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _figures(inner, f"{path}[{number}]")
    else:
        yield path, value
