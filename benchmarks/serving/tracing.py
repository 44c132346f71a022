"""What traces cost: our server without them and with every question's spans sent to a real collector, asked in turn."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.serving.otlp_collector import collecting
from benchmarks.serving.servers import ours
from benchmarks.serving.throughput import REPETITIONS, SECONDS, in_turn, median, ratio
from components.common.errors import CuveeError

CONNECTIONS = (1, 32)
TOLD = (("throughput", "per_s"), ("p50", "p50_ms"), ("work", "cpu_ms"))
PLAIN, TRACED = "without traces", "every question traced"


def measure(store: Path, out: Path, repetitions: int = REPETITIONS, seconds: float = SECONDS) -> dict[str, Any]:
    """Medians over interleaved *repetitions* by number of connections, and ratios of traced to plain within each.

    The collector keeps what it is sent and stands in this process, so it takes of the machine what one beside a server
    would; sent_bytes: of spans, to it.

    Raises:
        CuveeError: no spans were sent.
    """
    folder = out / "tracing"
    with ExitStack() as stack:
        collector = stack.enter_context(collecting())
        servers = {
            PLAIN: stack.enter_context(ours(store, folder / "plain.log", more={"OTEL_SDK_DISABLED": "true"})),
            TRACED: stack.enter_context(
                ours(store, folder / "traced.log", more={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})
            ),
        }
        runs = in_turn(servers, CONNECTIONS, repetitions, seconds, folder)
        sent = sum(len(body) for body in collector.bodies)
    if not sent:
        raise CuveeError(f"the collector at {collector.url} was sent no spans, expected them; see {folder}/traced.log.")
    return {
        "servers": {name: {str(count): median(one) for count, one in by.items()} for name, by in runs.items()},
        "ratios": {
            str(count): {name: ratio(runs, TRACED, PLAIN, count, key) for name, key in TOLD} for count in CONNECTIONS
        },
        "sent_bytes": sent,
    }


def tell(found: dict[str, Any]) -> list[str]:
    """One line for each number of connections."""
    lines = []
    for count, ratios in found["ratios"].items():
        plain, traced = (found["servers"][name][count] for name in (PLAIN, TRACED))
        lines.append(
            f"{count} at once, {TRACED}: {traced['per_s']:.0f}/s, p50 {traced['p50_ms']:.1f} ms, "
            f"work {traced['cpu_ms']:.2f} ms; {PLAIN}: {plain['per_s']:.0f}/s, {plain['p50_ms']:.1f} ms, "
            f"{plain['cpu_ms']:.2f} ms; throughput {ratios['throughput']:.2f}, p50 {ratios['p50']:.2f}, "
            f"work {ratios['work']:.2f} times as much"
        )
    return lines
