"""The train_text stage: every text member for every training of the run."""

from pathlib import Path
from typing import cast

import numpy as np

from components.common.config import Effort
from components.common.prepared import Prepared
from components.common.settings import Settings
from components.common.stage import progress
from components.train_text.attributes import AttributesConfig, choose, train_attributes
from components.train_text.lexical import train_lexical
from components.train_text.profile import ProfileConfig, train_profile
from components.train_text.profile import choose as choose_profile
from components.train_text.projection import ProjectionConfig
from components.train_text.text import TextConfig, train_text_member
from components.train_text.tfidf import TfidfConfig, train_tfidf
from components.train_text.word2vec import Word2vecConfig, train_word2vec
from components.train_text.word2vec import choose as choose_word2vec
from serving.arrays import Floats
from serving.members import kinds

TEXT_FILE = "text.npy"
EFFORTS: dict[Effort, ProjectionConfig] = {
    "fast": ProjectionConfig(),
    "full": ProjectionConfig(epochs=30, patience=5),
}


def train_text(prepared: Path, embeddings: Path, out: Path, effort: str, seed: int, settings: str = "") -> None:
    """Write out/<cut.members>/{attributes,lexical,profile,text,tfidf} for every training.

    `profile` only where users have one; with effort "full" `word2vec` too, which costs more than it adds to a fast
    run. Their numbers and those of `attributes` are chosen once, on the earliest training, and used for all.

    Args:
        prepared: a prepared folder.
        embeddings: folder with text.npy, (n_items, d) in catalogue order.
        out: folder to write.
        effort: "fast" or "full": how long the projection may train.
        seed: of everything random.
        settings: see Settings.load; numbers of members, and which to leave out.
    """
    told = Settings.of_members(settings, kinds())
    shop = Prepared.load(prepared)
    vectors: Floats = np.load(embeddings / TEXT_FILE, allow_pickle=False)
    config = told.fill("text", TextConfig(projection=EFFORTS[cast(Effort, effort)]))
    tfidf = told.fill("tfidf", TfidfConfig())
    trainings = shop.split.trainings
    attributes, profile = told.fill("attributes", AttributesConfig()), told.fill("profile", ProfileConfig())
    if told.searches("attributes"):
        attributes = choose(shop, trainings[0], cast(Effort, effort), seed)
    if told.searches("profile"):
        profile = choose_profile(shop, trainings[0], seed)
    word2vec, with_word2vec = told.fill("word2vec", Word2vecConfig()), told.wants("word2vec", usual=effort == "full")
    if with_word2vec and not told.tells("word2vec"):
        word2vec = choose_word2vec(shop, trainings[0], seed)
    for done, cut in enumerate(trainings):
        folder = out / cut.members
        if told.wants("lexical"):
            train_lexical(shop.items, folder / "lexical")
        if told.wants("tfidf"):
            train_tfidf(shop, cut, folder / "tfidf", seed, tfidf)
        if told.wants("text"):
            train_text_member(shop, vectors, cut, folder / "text", seed, config)
        if told.wants("attributes"):
            train_attributes(shop, cut, folder / "attributes", attributes, seed)
        if told.wants("profile"):
            train_profile(shop, cut, folder / "profile", profile)
        if with_word2vec:
            train_word2vec(shop, cut, folder / "word2vec", word2vec, seed)
        progress("train_text", done + 1, len(trainings))
