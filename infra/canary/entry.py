"""Envoy's configuration for an entry that gives a canary its share, and asks the stable release again where that fails.

A retry stays in the weighted cluster that was drawn, so a dead canary alone behind its share would still be felt. Here
its share goes to both, the canary first: while it is not healthy, and where it fails, the stable release answers.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml

from components.common.errors import ConfigError
from infra.checks.render import Object

Json = dict[str, Any]
STABLE, CANARY, SHARED = "stable", "canary", "canary_then_stable"
SHARES = "routing.cuvee"  # runtime keys: the shares can be changed while it runs, by POST /runtime_modify
READY = "/v2/models/cuvee/ready"
HTTP = "type.googleapis.com/envoy.extensions.filters.http"
EXTENSIONS = "type.googleapis.com/envoy.extensions"


def canary_percent(service: Object) -> int:
    """The canary's share that an InferenceService asks for, in either of KServe's modes.

    Raises:
        ConfigError: it asks for none.
    """
    spec = service["spec"]
    shares = [one["trafficPercent"] for one in spec.get("canary", []) if "trafficPercent" in one]
    shares += [one["canaryTrafficPercent"] for one in [spec.get("predictor", {})] if "canaryTrafficPercent" in one]
    if len(shares) != 1:
        raise ConfigError(
            f"InferenceService {service['metadata']['name']}: found {len(shares)} canaries, expected one with a share: "
            "spec.canary[0].trafficPercent or spec.predictor.canaryTrafficPercent."
        )
    return int(shares[0])


def envoy_config(
    service: Object, stable: list[str], canary: list[str], listen: str, admin: str, try_seconds: float = 0.3
) -> Json:
    """The bootstrap of an entry with the shares of *service*.

    Args:
        service: an InferenceService with a canary.
        stable: HOST:PORT of every replica of the stable release.
        canary: of the canary.
        listen: HOST:PORT of the entry.
        admin: HOST:PORT of its figures and its runtime; nobody but the watcher may reach it.
        try_seconds: how long a release may take before the other is asked.
    """
    percent = canary_percent(service)
    return {
        "admin": {"address": _address(admin)},
        "layered_runtime": {"layers": [{"name": "admin", "admin_layer": {}}]},
        "static_resources": {
            "listeners": [_listener(listen, percent, try_seconds)],
            "clusters": [_cluster(STABLE, stable), _cluster(CANARY, canary), _both()],
        },
    }


def _listener(listen: str, percent: int, try_seconds: float) -> Json:
    shares = [{"name": STABLE, "weight": 100 - percent}, {"name": SHARED, "weight": percent}]
    retry = {
        "retry_on": "5xx,reset,connect-failure,refused-stream",
        "num_retries": 2,
        "per_try_timeout": f"{try_seconds}s",
        "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.02s"},
        "retry_priority": {
            "name": "envoy.retry_priorities.previous_priorities",
            "typed_config": {
                "@type": f"{EXTENSIONS}.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
                "update_frequency": 1,
            },
        },
    }
    route = {
        "weighted_clusters": {"clusters": shares, "runtime_key_prefix": SHARES},
        "timeout": f"{4 * try_seconds}s",
        "retry_policy": retry,
    }
    manager = {
        "@type": f"{EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "entry",
        "route_config": {
            "virtual_hosts": [
                {"name": "cuvee", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}
            ]
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{EXTENSIONS}.filters.http.router.v3.Router"},
            }
        ],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {"name": "entry", "address": _address(listen), "filter_chains": [chain]}


def _cluster(name: str, replicas: list[str]) -> Json:
    """One release: asked only while it says that it is ready, and left alone for a while after three failures."""
    ends = [{"endpoint": {"address": _address(one)}} for one in replicas]
    return {
        "name": name,
        "type": "STRICT_DNS",
        "connect_timeout": "0.25s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": ends}]},
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "health_checks": [
            {
                "timeout": "1s",
                "interval": "1s",
                "no_traffic_interval": "1s",
                "unhealthy_threshold": 2,
                "healthy_threshold": 1,
                "http_health_check": {"path": READY},
            }
        ],
    } | (_ejected() if name == CANARY else {})


def _ejected() -> Json:
    return {
        "outlier_detection": {
            "consecutive_5xx": 3,
            "interval": "1s",
            "base_ejection_time": "10s",
            "max_ejection_percent": 100,
        }
    }


def _both() -> Json:
    return {
        "name": SHARED,
        "connect_timeout": "0.25s",
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": {
            "name": "envoy.clusters.aggregate",
            "typed_config": {
                "@type": f"{EXTENSIONS}.clusters.aggregate.v3.ClusterConfig",
                "clusters": [CANARY, STABLE],
            },
        },
    }


def _address(place: str) -> Json:
    host, _, port = place.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}


def main() -> None:
    """`python -m infra.canary.entry`: the configuration for a manifest, as JSON for `envoy -c`."""
    parser = argparse.ArgumentParser(prog="python -m infra.canary.entry", description=main.__doc__)
    parser.add_argument("manifest", type=Path, help="a YAML file with the InferenceService and its canary's share")
    parser.add_argument("--stable", action="append", required=True, help="HOST:PORT of a replica of the stable release")
    parser.add_argument("--canary", action="append", required=True, help="HOST:PORT of a replica of the canary")
    parser.add_argument("--listen", default="127.0.0.1:8080", help="HOST:PORT of the entry")
    parser.add_argument("--admin", default="127.0.0.1:9901", help="HOST:PORT of its figures and its runtime")
    given = parser.parse_args()
    service = yaml.safe_load(given.manifest.read_text(encoding="utf-8"))
    json.dump(envoy_config(service, given.stable, given.canary, given.listen, given.admin), sys.stdout, indent=1)


if __name__ == "__main__":
    main()
