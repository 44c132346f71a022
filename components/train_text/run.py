"""The train_text stage: every text member for every training of the run."""

from pathlib import Path
from typing import cast

import numpy as np

from components.common.config import Effort
from components.common.prepared import Prepared
from components.common.stage import progress
from components.train_text.attributes import choose, train_attributes
from components.train_text.lexical import train_lexical
from components.train_text.profile import choose as choose_profile
from components.train_text.profile import train_profile
from components.train_text.projection import ProjectionConfig
from components.train_text.text import TextConfig, train_text_member
from components.train_text.tfidf import train_tfidf
from serving.arrays import Floats

TEXT_FILE = "text.npy"
EFFORTS: dict[Effort, ProjectionConfig] = {
    "fast": ProjectionConfig(),
    "full": ProjectionConfig(epochs=30, patience=5),
}


def train_text(prepared: Path, embeddings: Path, out: Path, effort: str, seed: int) -> None:
    """Write out/<cut.members>/{attributes,lexical,profile,text,tfidf} for every training.

    `profile` only where users have one. Its numbers and those of `attributes` are chosen once, on the earliest
    training, and used for all.

    Args:
        prepared: a prepared folder.
        embeddings: folder with text.npy, (n_items, d) in catalogue order.
        out: folder to write.
        effort: "fast" or "full": how long the projection may train.
        seed: of everything random.
    """
    shop = Prepared.load(prepared)
    vectors: Floats = np.load(embeddings / TEXT_FILE, allow_pickle=False)
    config = TextConfig(projection=EFFORTS[cast(Effort, effort)])
    trainings = shop.split.trainings
    attributes = choose(shop, trainings[0], cast(Effort, effort), seed)
    profile = choose_profile(shop, trainings[0], seed)
    for done, cut in enumerate(trainings):
        folder = out / cut.members
        train_lexical(shop.items, folder / "lexical")
        train_tfidf(shop, cut, folder / "tfidf", seed)
        train_text_member(shop, vectors, cut, folder / "text", seed, config)
        train_attributes(shop, cut, folder / "attributes", attributes, seed)
        train_profile(shop, cut, folder / "profile", profile)
        progress("train_text", done + 1, len(trainings))
