"""What `make bench-search` found, in Markdown."""

from typing import Any

from benchmarks.quality.page import table as table_of

METRICS = ("ndcg@10", "p@10", "hit@10")
TUNED = {
    "sighted": "the best peer when each is tuned on the very queries that judge it",
    "unsighted": "the best peer when each is tuned on the other four fifths of the queries",
}
MOST_LOST = 0.02  # of fused NDCG@10, by a table instead of the network
PARTS = ("all", "encoder", "rest")
GOAL, BAR = 0.10, 0.05  # fused search over the best peer


def show(found: dict[str, Any]) -> str:
    """The three parts in Markdown, and the table of queries."""
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
            *_by_table(chorus_, fashion_, bazaar_),
        ]
    )


def _by_table(chorus_: dict[str, Any], fashion_: dict[str, Any], bazaar_: dict[str, Any]) -> list[str]:
    """The same queries encoded by a table: what is lost, and the time of a search never asked before."""
    own, lost = chorus_["table"], chorus_["table"]["loss"]
    by_language = bazaar_["table"]["languages"]
    quality = [
        ("chorus, fused, NDCG@10", f"{chorus_['ndcg@10']['fused']:.4f}", f"{own['ndcg@10']['fused']:.4f}"),
        ("chorus, text alone, NDCG@10", f"{chorus_['ndcg@10']['text']:.4f}", f"{own['ndcg@10']['text']:.4f}"),
        ("fashion in Chinese, p@10", f"{fashion_['p@10']:.3f}", f"{fashion_['table']['p@10']:.3f}"),
        *(
            (f"bazaar, {name}, NDCG@10", f"{row['ndcg@10']:.3f}", f"{by_language[name]['ndcg@10']:.3f}")
            for name, row in bazaar_["languages"].items()
        ),
    ]  # fmt: skip
    holds = "holds" if lost["value"] <= MOST_LOST else "does not hold"
    told = (
        f"Loss of fused NDCG@10 by the table: {lost['value']:+.2%} [{lost['low']:+.2%}, {lost['high']:+.2%}]. At most "
        f"{MOST_LOST:.0%} {holds}."
    )
    times = [
        (shop, name, *(f"{row[f'{what}_p{percent}_ms']:.2f}" for what in PARTS for percent in (50, 99)))
        for shop, found in (("chorus", own), ("fashion", fashion_["table"]))
        for name, row in found["latency"]["engines"].items()
    ]
    slow = ", ".join(f"{found['table']['latency']['slower']:.2f}" for found in (chorus_, fashion_))
    return [
        table_of(("queries encoded by", "network", "table"), quality),
        told,
        table_of(("uncached, ms", "by", *(f"{what} p{percent}" for what in PARTS for percent in (50, 99))), times),
        f"By the yardstick this machine took {slow} times as long as that of the goals.",
    ]


def _told(how: str, gain: dict[str, Any], queries: int) -> str:
    bar = "holds" if gain["value"] >= BAR and gain["low"] > 0 else "does not hold"
    return (
        f"Over {gain['over']} ({gain['ndcg@10']:.4f}), {how}: {gain['value']:+.1%} [{gain['low']:+.1%}, "
        f"{gain['high']:+.1%}], {queries} queries. At least {BAR:.0%} with a lower end above 0 {bar}; "
        f"{GOAL:.0%} is {'reached' if gain['value'] >= GOAL else 'not reached'}."
    )
