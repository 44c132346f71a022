"""`cuvee demo`: serve the release a run has published, ask it once per scenario over V1 and V2, show the answers."""

from pathlib import Path
from typing import Any

from rich.console import Console

from components.common.errors import CuveeError
from components.deploy.publish import champion
from components.deploy.trial import ask_v1, ask_v2, running_server
from pipelines.ask import show, titles


def demo(out: Path, store: Path, user: str, query: str) -> None:
    """Ask the published release for recommendations, a search, similar items and a bundle, and print them.

    Raises:
        CuveeError: nothing is published, or V1 and V2 do not give the same non-empty lists.
    """
    release = champion(store)
    if release is None:
        raise CuveeError(f"{store} holds no published release. Run `cuvee run` first.")
    known, log = titles(release), out / "server.log"
    with running_server(release, store, log) as url:
        recommend = {"scenario": "recommend", "user_id": user, "k": 10, "explain": True}
        first = ask_v1(url, recommend)["items"][0]["item_id"]
        asked: dict[str, dict[str, Any]] = {
            f"search '{query}'": {"scenario": "search", "query": query, "k": 5, "explain": True},
            f"similar to {first}": {"scenario": "similar", "item_id": first, "k": 5, "explain": True},
            f"bundle with {first}": {"scenario": "bundle", "item_ids": [first], "k": 5, "explain": True},
            f"recommend for user {user}": recommend,
        }
        for name, instance in asked.items():
            over_v1, over_v2 = ask_v1(url, instance), ask_v2(url, instance)
            if over_v1["items"] != over_v2["items"] or not over_v1["items"]:
                raise CuveeError(f"{name}: V1 and V2 should give the same, non-empty list; see {log}.")
            Console().print(f"\n[bold]{name}[/bold] (V1 and V2 agree)")
            show(over_v1, known)
    Console().print(f"\nKeep it up with `make serve`, then: cuvee ask recommend {user}")
