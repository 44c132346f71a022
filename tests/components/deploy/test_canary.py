"""The watcher's judgement, by figures a reader can redo."""

import pytest

from components.common.errors import CuveeError, GateRefusedError
from components.deploy.canary import (
    Figures,
    Limits,
    Names,
    Watcher,
    figures_at,
    read_figures,
    run_command,
    verdict,
    watch,
)

NAMES = Names("stable", "canary", "canary")
TEXT = """# TYPE envoy_cluster_membership_healthy gauge
envoy_cluster_membership_healthy{envoy_cluster_name="stable"} 2
envoy_cluster_membership_healthy{envoy_cluster_name="canary"} 1
# TYPE envoy_cluster_upstream_cx_connect_fail counter
envoy_cluster_upstream_cx_connect_fail{envoy_cluster_name="canary"} 3
# TYPE envoy_cluster_upstream_rq_xx counter
envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="stable"} 90
envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="canary"} 5
envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name="canary"} 2
# TYPE envoy_cluster_upstream_rq_time histogram
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="canary",le="5"} 1
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="canary",le="50"} 7
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="canary",le="+Inf"} 7
"""


def test_figures_are_read_by_release() -> None:
    found = read_figures(TEXT)
    assert found["stable"] == Figures(asked=90, failed=0, healthy=2)
    canary = found["canary"]
    assert (canary.asked, canary.failed, canary.healthy) == (10, 5, 1)
    assert (canary.errors, canary.quantile(0.1), canary.quantile(0.95)) == (0.5, 5.0, 50.0)
    assert Figures().errors == Figures().quantile(0.95) == 0.0


def test_only_what_was_counted_since_the_first_look_is_judged() -> None:
    before = Figures(100, 50, 1, {5.0: 10, 50.0: 100})
    after = Figures(140, 51, 1, {5.0: 50, 50.0: 140})
    assert after.since(before) == Figures(40, 1, 1, {5.0: 40, 50.0: 40})
    restarted = Figures(3, 0, 1, {5.0: 3, 50.0: 3})
    assert restarted.since(before) == restarted


FAST, SLOW = {10.0: 95.0, 100.0: 100.0}, {10.0: 50.0, 100.0: 100.0}


@pytest.mark.parametrize(
    ("stable", "canary", "looks", "said"),
    [
        (Figures(1000, 0), Figures(19, 19), 0, None),
        (Figures(1000, 0), Figures(100, 2), 0, None),
        (Figures(1000, 0), Figures(100, 3), 0, "3.0% of 100 requests failed"),
        (Figures(1000, 20), Figures(100, 3), 0, None),
        (Figures(1000, 0), Figures(100, 0), 2, None),
        (Figures(1000, 0), Figures(0, 0), 3, "none of its replicas"),
        (Figures(100, 0, 1, FAST), Figures(100, 0, 1, SLOW), 0, "up to 100 ms, the stable release's 10 ms"),
        (Figures(100, 0, 1, SLOW), Figures(100, 0, 1, SLOW), 0, None),
        (Figures(100, 0, 1, {1.0: 100.0}), Figures(100, 0, 1, {1.0: 0.0, 20.0: 100.0}), 0, None),
    ],
)
def test_a_canary_is_worse_by_failures_times_or_absence(
    stable: Figures, canary: Figures, looks: int, said: str | None
) -> None:
    reason = verdict(stable, canary, looks, Limits())
    assert (reason is None) if said is None else (reason is not None and said in reason)


def test_a_worse_canary_is_rolled_back_once_and_a_good_one_never() -> None:
    counts = iter([0, 10, 40, 90])
    done: list[str] = []

    def worse() -> dict[str, Figures]:
        asked = next(counts)
        return {"stable": Figures(10 * asked, 0, 1), "canary": Figures(asked, asked / 2, 1)}

    with pytest.raises(GateRefusedError, match=r"rolled back: 50\.0% of 40"):
        watch(Watcher(worse, NAMES), 60, lambda: done.append("back"), period_s=0.0)
    assert done == ["back"]
    good = {"stable": Figures(1000, 0, 1), "canary": Figures(100, 0, 1)}
    watch(Watcher(lambda: good, NAMES), 0.05, lambda: done.append("back"), period_s=0.01)
    assert done == ["back"]


def test_without_figures_nothing_is_changed() -> None:
    with pytest.raises(CuveeError, match="expected canary"):
        Watcher(lambda: {"stable": Figures()}, NAMES).look()
    with pytest.raises(CuveeError, match="no figures"):
        figures_at("http://127.0.0.1:9/stats/prometheus")


def test_the_command_that_rolls_back_is_run_and_its_failure_told() -> None:
    run_command(["true"])
    with pytest.raises(CuveeError, match=r"`ls /nowhere/at/all` ended with 2: .*No such file"):
        run_command(["ls", "/nowhere/at/all"])


def test_the_commands_names_are_the_entrys() -> None:
    from infra.canary import entry
    from pipelines import cli_canary

    assert (cli_canary.STABLE, cli_canary.SHARE, cli_canary.REPLICAS) == (entry.STABLE, entry.SHARED, entry.CANARY)
