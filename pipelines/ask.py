"""`cuvee ask`: one question to a running server, its answer as a table."""

import json
import urllib.error
import urllib.request
from typing import Any

from rich.console import Console
from rich.table import Table

from components.common.errors import CuveeError

TIMEOUT_S = 10


def ask(url: str, instance: dict[str, Any]) -> dict[str, Any]:
    """POST one instance over KServe V1 and return its prediction.

    Raises:
        CuveeError: the server cannot be reached or refuses the request.
    """
    request = urllib.request.Request(
        f"{url}/v1/models/cuvee:predict",
        data=json.dumps({"instances": [instance]}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            prediction: dict[str, Any] = json.load(response)["predictions"][0]
            return prediction
    except urllib.error.HTTPError as error:
        raise CuveeError(f"{url} refused the request ({error.code}): {error.read().decode()[:500]}") from error
    except OSError as error:
        raise CuveeError(f"No server answers at {url}: {error}. Start one with `cuvee serve`.") from error


def show(prediction: dict[str, Any], titles: dict[str, str]) -> None:
    """Print the ranked items, their titles and the members that speak for each."""
    table = Table("", "item", "title", "score", "why (the parts sum to the score)")
    for item in prediction["items"]:
        parts = sorted(item.get("why", {}).items(), key=lambda pair: -abs(pair[1]))
        why = " ".join(f"{name} {value:+.3f}" for name, value in parts[:4])
        title = titles.get(item["item_id"], "")
        table.add_row(str(item["position"]), item["item_id"], title, f"{item['score']:.3f}", why)
    console = Console()
    console.print(table)
    degraded = ", ".join(prediction["degraded"]) or "nothing"
    console.print(f"method {prediction['method']}, release {prediction['release'][:12]}, degraded: {degraded}")
