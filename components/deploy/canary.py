"""A canary judged by what the entry measures of it, beside what it measures of the stable release."""

import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families
from pydantic import Field

from components.common.config import Config
from components.common.errors import CuveeError, GateRefusedError

CLUSTER = "envoy_cluster_name"
FAILED = (
    "envoy_cluster_upstream_cx_connect_fail",
    "envoy_cluster_upstream_rq_per_try_timeout",
    "envoy_cluster_upstream_rq_rx_reset",
)
BY_CODE, ASKED, HEALTHY = (
    "envoy_cluster_upstream_rq_xx",
    "envoy_cluster_upstream_rq",
    "envoy_cluster_membership_healthy",
)
MILLISECONDS = "envoy_cluster_upstream_rq_time_bucket"


class Names(NamedTuple):
    """The clusters of the entry: the stable release's, the canary's share, and the canary's own replicas.

    Envoy counts a request with the cluster that its share names, whoever answered it.
    """

    stable: str
    share: str
    replicas: str


class Limits(Config):
    """When a canary counts as worse."""

    least: int = Field(default=20, ge=1, description="requests of the canary before errors and times are compared")
    errors: float = Field(default=0.02, ge=0, description="by how much its share of failures may exceed the other's")
    slower: float = Field(default=2.0, ge=1, description="how many times the stable one's 95th percentile it may take")
    slower_ms: float = Field(default=25.0, ge=0, description="and by how many milliseconds more, at least")
    unhealthy_looks: int = Field(default=3, ge=1, description="looks in a row that found none of its replicas ready")


@dataclass(frozen=True)
class Figures:
    """What the entry counted of one release. times: by upper bound in ms, how many took at most that long."""

    asked: float = 0.0
    failed: float = 0.0
    healthy: float = 0.0
    times: Mapping[float, float] = field(default_factory=dict)

    def since(self, before: "Figures") -> "Figures":
        """What was counted after *before*; a counter that began anew counts from nothing."""
        if self.asked < before.asked:
            return self
        times = {bound: count - before.times.get(bound, 0.0) for bound, count in self.times.items()}
        return Figures(self.asked - before.asked, self.failed - before.failed, self.healthy, times)

    @property
    def errors(self) -> float:
        """The share that failed."""
        return self.failed / self.asked if self.asked else 0.0

    def quantile(self, share: float) -> float:
        """The bound in ms under which at least *share* of the answers stayed; 0 where there was none."""
        total = max(self.times.values(), default=0.0)
        reached = (bound for bound, count in sorted(self.times.items()) if total and count >= share * total)
        return next(reached, 0.0)


def read_figures(text: str) -> dict[str, Figures]:
    """By cluster of Envoy, what its figures in Prometheus' text say of it.

    Requests that were not answered by a code (refused, reset, too late) count as asked and failed.
    """
    asked: dict[str, float] = {}
    failed: dict[str, float] = {}
    healthy: dict[str, float] = {}
    times: dict[str, dict[float, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name, measured = sample.labels.get(CLUSTER, ""), sample.name.removesuffix("_total")  # the reader adds it
            if measured == BY_CODE:
                asked[name] = asked.get(name, 0.0) + sample.value
                if sample.labels.get("envoy_response_code_class") == "5":
                    failed[name] = failed.get(name, 0.0) + sample.value
            elif measured in FAILED:
                asked[name] = asked.get(name, 0.0) + sample.value
                failed[name] = failed.get(name, 0.0) + sample.value
            elif measured == HEALTHY:
                healthy[name] = sample.value
            elif measured == MILLISECONDS:
                times.setdefault(name, {})[float(sample.labels["le"])] = sample.value
    return {
        name: Figures(asked.get(name, 0.0), failed.get(name, 0.0), healthy.get(name, 0.0), times.get(name, {}))
        for name in asked.keys() | healthy.keys()
    }


def verdict(stable: Figures, canary: Figures, unhealthy_looks: int, limits: Limits) -> str | None:
    """Why the canary is worse; None: it is not, as far as the figures go."""
    if unhealthy_looks >= limits.unhealthy_looks:
        return f"none of its replicas was ready, or not put out for failures, for {unhealthy_looks} looks"
    if canary.asked < limits.least:
        return None
    if canary.errors > stable.errors + limits.errors:
        return f"{canary.errors:.1%} of {canary.asked:.0f} requests failed, {stable.errors:.1%} of the stable release's"
    own, other = canary.quantile(0.95), stable.quantile(0.95)
    if own > limits.slower * other and own > other + limits.slower_ms:
        return f"95% of its answers take up to {own:.0f} ms, the stable release's {other:.0f} ms"
    return None


class Watcher:
    """Looks at the figures until the canary is worse, or the time is over."""

    def __init__(self, read: Callable[[], dict[str, Figures]], names: Names, limits: Limits | None = None) -> None:
        self._read, self._names = read, names
        self._limits, self._unhealthy = limits or Limits(), 0
        self._before: dict[str, Figures] | None = None

    def look(self) -> str | None:
        """Why the canary is worse, as far as the figures since the first look go.

        Raises:
            CuveeError: there are no figures of one of them.
        """
        now = self._read()
        missing = sorted({*self._names} - now.keys())
        if missing:
            raise CuveeError(
                f"found figures of {', '.join(sorted(now)) or 'nothing'}; expected {' and '.join(missing)}."
            )
        before = self._before = now if self._before is None else self._before
        stable, canary = (now[name].since(before[name]) for name in self._names[:2])
        self._unhealthy = 0 if now[self._names.replicas].healthy else self._unhealthy + 1
        return verdict(stable, canary, self._unhealthy, self._limits)


def watch(watcher: Watcher, seconds: float, roll_back: Callable[[], None], period_s: float = 1.0) -> None:
    """Look every *period_s* for *seconds*; roll back as soon as the canary is worse.

    Raises:
        GateRefusedError: it was worse, and has been rolled back.
        CuveeError: the figures cannot be read; nothing was changed.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        reason = watcher.look()
        if reason is not None:
            roll_back()
            raise GateRefusedError(f"The canary was rolled back: {reason}.")
        time.sleep(period_s)


def figures_at(url: str) -> dict[str, Figures]:
    """The figures that an Envoy (`/stats/prometheus`) or a Prometheus (`/federate`) gives at *url*.

    Raises:
        CuveeError: it gives none.
    """
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return read_figures(response.read().decode())
    except (OSError, ValueError) as error:
        raise CuveeError(
            f"{url}: no figures in Prometheus' text: {error}. Is it the entry's /stats/prometheus?"
        ) from error


def run_command(command: Sequence[str]) -> None:
    """Run what rolls back.

    Raises:
        CuveeError: it failed.
    """
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise CuveeError(f"`{' '.join(command)}` ended with {done.returncode}: {done.stderr.strip()[-500:]}")
