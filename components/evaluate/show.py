"""What the Kubeflow UI shows of an evaluation: numbers, the report, the card and a curve."""

import shutil
from pathlib import Path
from typing import Any

from components.common.classified import Classified
from components.evaluate.run import CARD_FILE, REPORT_FILE
from components.evaluate.summary import NDCG

HEADLINE = (NDCG, "recall@20", "hit@10", "mrr@10", "auc", "coverage@10")


def show(
    found: dict[str, Any], evaluation: Path, metrics: Any, report: Any, card: Any, curve: Any, clicks: Any
) -> bool:
    """Fill Kubeflow's artifacts from what `evaluate` returned and wrote.

    Args:
        found: the result of `evaluate`.
        evaluation: the folder it wrote.
        metrics: a kfp Metrics artifact.
        report: a kfp HTML artifact.
        card: a kfp Markdown artifact.
        curve: a kfp ClassificationMetrics artifact: who took what, over the places of the list; the counts are of ten.
        clicks: another, of the ads that were shown; empty without any.

    Returns:
        Whether the gate lets the release pass.
    """
    for name, value in _numbers(found["metrics"]).items():
        metrics.log_metric(name, value)
    for artifact, file in ((report, REPORT_FILE), (card, CARD_FILE)):
        Path(artifact.path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(evaluation / file, artifact.path)
    false, true = found["roc"]
    last = max(len(false) - 1, 1)
    curve.log_roc_curve(false, true, [1 - place / last for place in range(len(false))])
    if found["confusion"] is not None:
        curve.log_confusion_matrix(["not taken", "taken"], found["confusion"])
    ads = found["metrics"]["scenarios"]["ads"]
    if ads:
        Classified(**ads["classified"]).log(clicks)
    return bool(found["verdict"].passed)


def _numbers(metrics: dict[str, Any]) -> dict[str, float]:
    fused, gain, search = metrics["fused"] or {}, metrics["gain"] or {}, metrics["search"]
    values = {name: fused.get(name) for name in HEADLINE}
    values["gain_over_best_member"] = gain.get(NDCG)
    values["gain_low"], values["gain_high"] = gain.get("ci95") or (None, None)
    if search:
        values |= {f"search_{side}_{NDCG}": search["judged"][side][NDCG] for side in ("fused", "lexical")}
    return {name: float(value) for name, value in values.items() if value is not None}
