"""The report's sections on what a shop shows beside recommendations: bundles, campaigns, ads."""

from collections.abc import Mapping
from typing import Any

from components.evaluate import campaigns
from components.evaluate.bundles import FUSED, RECALL
from components.evaluate.summary import NDCG
from components.evaluate.tables import table
from components.evaluate.words import number, percent
from serving.breadth import POPULARITY

Values = Mapping[str, Any]


def scenarios(metrics: Values) -> list[str]:
    """A section of HTML for every scenario that was judged."""
    judged = metrics.get("scenarios") or {}
    sections = {"bundle": _bundle, "campaign": _campaign, "campaign_users": _users, "ads": _ads}
    return [section(judged[name]) for name, section in sections.items() if judged.get(name)]


def gained(gain: Values, metric: str) -> str:
    """A gain with its interval and what it is over."""
    if gain["ci95"] is None:
        return f"no gain over {gain['over']} can be told"
    low, high = gain["ci95"]
    return f"{percent(gain[metric])} over {gain['over']} (95% interval {percent(low)} to {percent(high)})"


def _campaign(values: Values) -> str:
    names = (campaigns.FUSED, POPULARITY, campaigns.FREQUENCY)
    rows = [
        [kind, f"{one['pairs']:,}", *(number(one[name][NDCG]) if name in one else "–" for name in names)]
        for kind, one in values.items()
    ]
    told = "".join(
        f"<li>{kind}: NDCG@10 {gained(one['gain'], NDCG)}; {gained(one['over_frequency'], NDCG)}</li>"
        for kind, one in values.items()
    )
    return (
        f"<h2>Campaigns</h2><ul>{told}</ul>"
        + table(("", "pairs", *names), rows)
        + '<p class="note">Of the items of a campaign that ran in the test window, for each of the users it was meant '
        "for: what they bought of it while it ran, what they bought under it, and what of that was new to them, asked "
        "with new_only. All lists hold the campaign's items only.</p>"
    )


def _users(values: Values) -> str:
    return (
        f"<h2>Users for a campaign</h2><p>Who took something of it stands before who did not with a chance of "
        f"{number(values['auc'])}; ordered by how many items a user had ever taken, {number(values['auc_of_history'])} "
        f"({values['campaigns']} campaigns of the test window, {values['users']:,} users that they name).</p>"
    )


def _ads(values: Values) -> str:
    parts = [
        [str(n), number(one["predicted"]), number(one["clicked"])] for n, one in enumerate(values["parts"], start=1)
    ]
    return (
        f"<h2>Ads</h2><p>Predicted click {number(values['predicted'])}, clicked {number(values['clicked'])}; log loss "
        f"{number(values['log_loss'])}, that of the plain rate {number(values['log_loss_of_the_rate'])}; AUC "
        f"{number(values['auc'])}.</p>"
        + table(("fifth, by prediction", "predicted", "clicked"), parts)
        + f'<p class="note">{values["impressions"]:,} ads shown in the test window.</p>'
    )


def _bundle(values: Values) -> str:
    new = values["new"]
    names = sorted(values["members"], key=lambda name: -(values["members"][name][RECALL] or 0))
    rows = [[FUSED, number(values[FUSED][RECALL]), number(new[FUSED][RECALL])]]
    rows += [[name, number(values["members"][name][RECALL]), number(new["members"][name][RECALL])] for name in names]
    return (
        f"<h2>Bundles</h2><p>Recall@20 {gained(values['gain'], RECALL)}; of what is new to the user "
        f"{gained(new['gain'], RECALL)}.</p>"
        + table(("", RECALL, f"new: {RECALL}"), rows, FUSED)
        + f'<p class="note">One basket of the test window of each of {values["users"]:,} users: one half is given, the '
        f"other wanted, out of the whole catalogue. New: only items that the user had not met are wanted and shown "
        f"({new['users']:,} users).</p>"
    )
