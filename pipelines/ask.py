"""`cuvee ask`: an answer of the server as a table."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from components.common import columns as c
from serving.catalogue import Catalogue

PARTS, SMALLEST = 4, 0.005  # of the parts that sum to the score, how many are shown and from which size on


def titles(release: Path) -> dict[str, str]:
    """Titles by item id of a release."""
    catalogue = Catalogue.load(release / "catalogue.parquet")
    return dict(zip(catalogue.ids, catalogue.items[c.TITLE], strict=True))


def show(prediction: dict[str, Any], known: dict[str, str]) -> None:
    """Print the ranked items, their titles and the members that speak most for or against each."""
    table = Table("", "item", "title", "score", "why")
    for item in prediction["items"]:
        parts = sorted(item.get("why", {}).items(), key=lambda pair: -abs(pair[1]))
        why = "  ".join(f"{name} {value:+.2f}" for name, value in parts[:PARTS] if abs(value) >= SMALLEST)
        title = known.get(item["item_id"], "")
        table.add_row(str(item["position"]), item["item_id"], title, f"{item['score']:.2f}", why)
    console = Console()
    console.print(table)
    degraded = ", ".join(prediction["degraded"]) or "nothing"
    relaxed = ", ".join(prediction["relaxed"]) or "nothing"
    told = f"degraded: {degraded}, relaxed: {relaxed}"
    console.print(f"method {prediction['method']}, release {prediction['release'][:12]}, {told}")
