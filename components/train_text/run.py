"""The train_text stage: every text member for every training of the run."""

import shutil
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from scipy import sparse

from components.common.config import Effort
from components.common.files import write_json
from components.common.prepared import Cut, Prepared
from components.common.settings import Settings
from components.common.stage import progress
from components.train_text.attributes import AttributesConfig, incidence_of, train_attributes
from components.train_text.attributes import choose as choose_attributes
from components.train_text.joint import JointConfig, joint_blocks, write_joint_member
from components.train_text.lexical import train_lexical
from components.train_text.media import Photos, SeenConfig, joint_photos, train_image_member, train_seen_member
from components.train_text.profile import ProfileConfig, train_profile
from components.train_text.profile import choose as choose_profile
from components.train_text.projection import ProjectionConfig
from components.train_text.sentiment import SentimentConfig, train_sentiment
from components.train_text.text import TextConfig, train_text_member
from components.train_text.tfidf import TfidfConfig, train_tfidf
from components.train_text.word2vec import Word2vecConfig, train_word2vec
from components.train_text.word2vec import choose as choose_word2vec
from serving.arrays import Floats
from serving.members import kinds
from serving.members.base import MEMBER_FILE

TEXT_FILE = "text.npy"
MEDIA = ("audio", "image", "video")  # members of shops that have such files: <name>.npy lies beside TEXT_FILE
JOINT = "joint"  # the member of text and photos together
MEMBERS = ("attributes", "lexical", "named", "profile", "sentiment", "text", "tfidf", "word2vec")
LONG = ("word2vec",)  # only with effort "full", unless the settings ask for it
EFFORTS: dict[Effort, ProjectionConfig] = {
    "fast": ProjectionConfig(),
    "full": ProjectionConfig(epochs=30, patience=5),
}


@dataclass(frozen=True)
class Vectors:
    """Encoded texts, and what the shop has of the media; photos are joined with texts, and with those they suggest."""

    text: Floats
    media: Mapping[str, Floats]
    photos: Photos | None
    joint: tuple[Floats, Floats] | None


@dataclass(frozen=True)
class Numbers:
    """Configuration of every member that has one."""

    text: TextConfig
    tfidf: TfidfConfig
    attributes: AttributesConfig
    profile: ProfileConfig
    sentiment: SentimentConfig
    word2vec: Word2vecConfig
    media: Mapping[str, SeenConfig]
    joint: JointConfig


def train_text(prepared: Path, embeddings: Path, out: Path, effort: str, seed: int, settings: str = "") -> None:
    """Write out/<cut.members>/{attributes,lexical,profile,sentiment,text,tfidf} and media for every training.

    `profile` only where users have one, `sentiment` only where enough reviews are rated; with effort "full"
    `word2vec` too, which costs more than it adds to a fast run. Their numbers and those of `attributes` are chosen
    once, on the training of the newest fit window, and used for all. `audio`, `image` and `video` are trained where the
    shop has such files, `joint` where it has photos.

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
    names = [name for name in MEMBERS if told.wants(name, usual=name not in LONG or effort == "full")]
    names += [name for name in MEDIA if (embeddings / f"{name}.npy").exists() and told.wants(name)]
    names += [JOINT] if "image" in names and told.wants(JOINT) else []
    search = {name for name in names if not told.tells(name)}
    ones = incidence_of(shop, told.fill("attributes", AttributesConfig()))
    numbers = _numbers(shop, told, search, cast(Effort, effort), seed, ones)
    vectors = _vectors(shop, embeddings, names, numbers, seed)
    trainings = shop.split.trainings
    for done, cut in enumerate(trainings):
        steps = _steps(shop, vectors, cut, numbers, seed, ones)
        for name in names:
            steps[name](out / cut.members / name)
        progress("train_text", done + 1, len(trainings))


def _vectors(shop: Prepared, embeddings: Path, names: list[str], numbers: Numbers, seed: int) -> Vectors:
    text: Floats = np.load(embeddings / TEXT_FILE, allow_pickle=False)
    media = {name: np.load(embeddings / f"{name}.npy", allow_pickle=False) for name in MEDIA if name in names}
    photos = joint_photos(shop, media["image"], text, seed, numbers.media["image"]) if "image" in media else None
    joint = joint_blocks(photos.words, media["image"], seed, numbers.joint) if photos and JOINT in names else None
    return Vectors(text, media, photos, joint)


def _numbers(
    shop: Prepared, told: Settings, search: Set[str], effort: Effort, seed: int, ones: sparse.csr_matrix
) -> Numbers:
    """What the settings say; of the members in *search*, what a hold-out of the newest fit window's training says."""
    cut = shop.split.tuning
    attributes, profile, word2vec = (
        told.fill("attributes", AttributesConfig()),
        told.fill("profile", ProfileConfig()),
        told.fill("word2vec", Word2vecConfig()),
    )
    return Numbers(
        told.fill("text", TextConfig(projection=EFFORTS[effort])),
        told.fill("tfidf", TfidfConfig()),
        choose_attributes(shop, cut, effort, seed, ones) if "attributes" in search else attributes,
        choose_profile(shop, cut, seed) if "profile" in search else profile,
        told.fill("sentiment", SentimentConfig()),
        choose_word2vec(shop, cut, seed) if "word2vec" in search else word2vec,
        {name: told.fill(name, SeenConfig()) for name in MEDIA},
        told.fill(JOINT, JointConfig()),
    )


def _steps(
    shop: Prepared, vectors: Vectors, cut: Cut, numbers: Numbers, seed: int, ones: sparse.csr_matrix
) -> Mapping[str, Callable[[Path], None]]:
    """By member: writes its folder."""
    return _media_steps(shop, vectors, cut, numbers, seed) | {
        "attributes": lambda out: train_attributes(shop, cut, out, numbers.attributes, seed, ones),
        "lexical": lambda out: _index(shop, cut, out),
        "named": lambda out: write_json(out / MEMBER_FILE, {"kind": "named"}),
        "profile": lambda out: train_profile(shop, cut, out, numbers.profile),
        "sentiment": lambda out: train_sentiment(shop, cut, out, numbers.sentiment, seed),
        "text": lambda out: train_text_member(shop, vectors.text, cut, out, seed, numbers.text),
        "tfidf": lambda out: train_tfidf(shop, cut, out, seed, numbers.tfidf),
        "word2vec": lambda out: train_word2vec(shop, cut, out, numbers.word2vec, seed),
    }


def _index(shop: Prepared, cut: Cut, out: Path) -> None:
    """Index the catalogue, which is the same for every training: once, the others get a copy."""
    first = shop.split.trainings[0].members
    if cut.members == first:
        train_lexical(shop.items, out)
    else:
        shutil.copytree(out.parents[1] / first / out.name, out, dirs_exist_ok=True)


def _media_steps(
    shop: Prepared, vectors: Vectors, cut: Cut, numbers: Numbers, seed: int
) -> dict[str, Callable[[Path], None]]:
    def seen(kind: str) -> Callable[[Path], None]:
        return lambda out: train_seen_member(shop, kind, vectors.media[kind], cut, out, seed, numbers.media[kind])

    steps = {kind: seen(kind) for kind in vectors.media if kind != "image"}
    photos, joint = vectors.photos, vectors.joint
    if joint is not None:
        steps[JOINT] = lambda out: write_joint_member(joint, out, numbers.joint)
    if photos is not None:
        steps["image"] = lambda out: train_image_member(shop, photos, cut, out, seed, numbers.media["image"])
    return steps
