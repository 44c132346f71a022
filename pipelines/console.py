"""What a person sees of a run: one line a stage with its time, a bar on long work, a summary."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

POLL_S = 0.2


class Watcher:
    """Follows a run's progress file and shows it."""

    def __init__(self, progress: Path) -> None:
        self.path = progress
        self.console = Console(highlight=False)
        self.timings: dict[str, float] = {}
        self.peak_rss_mb: float | None = None
        self.failure: dict[str, Any] | None = None
        self._bar = Progress(
            SpinnerColumn(), TextColumn("{task.description:<18}"), BarColumn(), TimeElapsedColumn(),
            console=self.console, transient=True,
        )  # fmt: skip
        self._task: TaskID | None = None
        self._show = {
            "start": self._on_start,
            "progress": self._on_progress,
            "note": self._on_note,
            "end": self._on_end,
            "error": self._on_error,
        }

    def say(self, text: str) -> None:
        """Print one line."""
        self.console.print(text, soft_wrap=True)

    def follow(self, process: "subprocess.Popen[bytes]") -> int:
        """Show facts as they arrive until *process* ends; return its exit code."""
        with self.path.open(encoding="utf-8") as facts, self._bar:
            try:
                while process.poll() is None:
                    self._read(facts.readlines())
                    time.sleep(POLL_S)
                self._read(facts.readlines())
            finally:
                if process.poll() is None:  # interrupted: the steps are processes of its group
                    os.killpg(process.pid, signal.SIGTERM)
                    process.wait()
        return process.returncode

    def _read(self, lines: list[str]) -> None:
        for line in lines:
            fact = json.loads(line)
            show = self._show.get(fact["kind"])  # facts of other kinds are for the log only
            if show:
                show(fact)

    def _on_start(self, fact: dict[str, Any]) -> None:
        self._task = self._bar.add_task(fact["stage"], total=None)

    def _on_progress(self, fact: dict[str, Any]) -> None:
        if self._task is not None:
            self._bar.update(self._task, completed=fact["done"], total=fact["total"])

    def _on_note(self, fact: dict[str, Any]) -> None:
        self.say(f"  [dim]{fact['text']}[/dim]")

    def _on_end(self, fact: dict[str, Any]) -> None:
        self._clear()
        name = fact["stage"]
        self.timings[name] = round(self.timings.get(name, 0.0) + fact["seconds"], 3)
        self.peak_rss_mb = max(self.peak_rss_mb or 0.0, fact["rss_mb"])
        self.say(f"[green]✓[/green] {name:<20} {fact['seconds']:7.1f} s  {fact['rss_mb']:7.0f} MB")

    def _on_error(self, fact: dict[str, Any]) -> None:
        self._clear()
        self.failure = fact

    def _clear(self) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None

    def summary(self, metrics: dict[str, Any], verdict: dict[str, Any], report: Path, store: Path) -> None:
        """Members against fused, per task, and whether it was published."""
        for task, result in (metrics["tasks"] or {}).items():
            if result:
                self.console.print(_table(task, result))
        for reason in verdict["reasons"]:
            self.say(f"  {reason}")
        if verdict["passed"]:
            self.say(f"[green]Published[/green] {metrics['release'][:12]} to {store}")
        else:
            self.say("[yellow]Refused by the gate[/yellow]: nothing was published.")
        self.say(f"Report: {report / 'report.html'}")


def _table(task: str, result: dict[str, Any]) -> Table:
    table = Table("", "NDCG@10", "recall@10", "hit@10", "coverage@10", title=f"Test: {task}", title_justify="left")
    rows = sorted(result["members"].items(), key=lambda pair: -pair[1]["ndcg@10"])
    for name, values in [*rows, (f"fused ({result['fused']['method']})", result["fused"])]:
        cells = [f"{values[m]:.4f}" for m in ("ndcg@10", "recall@10", "hit@10", "coverage@10")]
        table.add_row(name, *cells, style="bold" if name.startswith("fused") else None)
    gain = result["gain"]
    if gain and gain["ndcg@10"] is not None:
        low, high = gain["ci95"]
        table.caption = f"fused over {gain['over']}: {gain['ndcg@10']:+.1%} [{low:+.1%}, {high:+.1%}] NDCG@10"
    return table
