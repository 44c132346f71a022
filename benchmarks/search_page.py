"""What `make bench-search` found, in Markdown."""

from typing import Any

from benchmarks.quality.page import table as table_of

METRICS = ("ndcg@10", "p@10", "hit@10")
TUNED = {
    "sighted": "the best peer when each is tuned on the very queries that judge it",
    "unsighted": "the best peer when each is tuned on the other four fifths of the queries",
}
GOAL, BAR = 0.10, 0.05  # fused search over the best peer


def show(found: dict[str, Any]) -> str:
    """The three parts in Markdown."""
    chorus_, fashion_, bazaar_ = (found[name] for name in ("chorus", "fashion", "bazaar"))
    names = list(chorus_["ndcg@10"])
    overall = [
        (name, f"{value:.4f}", str(chorus_["settings"].get(name, ""))) for name, value in chorus_["ndcg@10"].items()
    ]
    kinds = [
        (name, str(row["queries"]), *(f"{row[who]:.3f}" for who in names)) for name, row in chorus_["kinds"].items()
    ]
    return "\n\n".join(
        [
            table_of(("chorus", "NDCG@10", "settings"), overall),
            *(_told(how, chorus_["gain"][told], chorus_["queries"]) for told, how in TUNED.items()),
            table_of(("kind of query", "queries", *names), kinds),
            f"Chinese queries on {fashion_['items']:,} English titles: p@10 {fashion_['p@10']:.3f}, hit@10 "
            f"{fashion_['hit@10']:.3f} ({fashion_['queries']} queries).",
            table_of(
                ("bazaar", "queries", "NDCG@10", "p@10", "hit@10"),
                [
                    (name, str(row["queries"]), *(f"{row[m]:.3f}" for m in METRICS))
                    for name, row in bazaar_["languages"].items()
                ],
            ),
        ]
    )


def _told(how: str, gain: dict[str, Any], queries: int) -> str:
    bar = "holds" if gain["value"] >= BAR and gain["low"] > 0 else "does not hold"
    return (
        f"Over {gain['over']} ({gain['ndcg@10']:.4f}), {how}: {gain['value']:+.1%} [{gain['low']:+.1%}, "
        f"{gain['high']:+.1%}], {queries} queries. At least {BAR:.0%} with a lower end above 0 {bar}; "
        f"{GOAL:.0%} is {'reached' if gain['value'] >= GOAL else 'not reached'}."
    )
