"""What Kubeflow's UI shows of the sentiment of reviews: how those that it had not seen were told apart."""

from pathlib import Path
from typing import Any

from components.common.classified import Classified
from components.common.files import read_json
from components.train_text.sentiment import JUDGED_FILE


def show(members: Path, reviews: Any) -> None:
    """Fill *reviews*, a kfp ClassificationMetrics artifact, from the newest training; nothing without a sentiment.

    Args:
        members: the folder that `train_text` wrote.
        reviews: the artifact.
    """
    judged = sorted(members.glob(f"*/sentiment/{JUDGED_FILE}"))  # `final` comes before the fit windows
    if judged:
        Classified(**read_json(judged[0])).log(reviews)
