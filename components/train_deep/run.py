"""train_deep as files: a prepared shop and its text embedding in, one folder of members per training out."""

from pathlib import Path
from typing import cast

import numpy as np

from components.common.config import Effort
from components.common.prepared import Cut, Prepared
from components.common.settings import Settings
from components.common.stage import progress
from components.train_deep.config import DeepConfig, config_for
from components.train_deep.export import export
from components.train_deep.fit import DESIGN, Earlier, fit, material
from components.train_deep.histories import Entries
from components.train_deep.initial import in_baskets
from components.train_deep.photos import ItemPhotos, check
from components.train_deep.train import Report
from serving.arrays import Floats
from serving.members import kinds
from serving.members.sequence import KIND

TEXT_FILE = "text.npy"
STAGE = "train_deep"


def train_deep(prepared: Path, embeddings: Path, out: Path, effort: str, seed: int, settings: str = "") -> None:
    """Write out/<cut.members>/sequence/ for every training of the split; nothing where a cut has no events.

    Args:
        prepared: folder of the prepared shop.
        embeddings: folder with text.npy (n_items, d), absent or all zeros where there is no text; and image.npy and
            image_maps.npy where there are photos.
        out: folder of members, made if absent.
        effort: "fast" or "full".
        seed: of every random choice.
        settings: see Settings.load; the member's numbers, or that it is left out.
    """
    told = Settings.of_members(settings, kinds())
    out.mkdir(parents=True, exist_ok=True)
    shop = Prepared.load(prepared)
    text, photos = text_embedding(embeddings, len(shop.items)), ItemPhotos.load(embeddings)
    trainings = shop.split.trainings if told.wants(KIND) else ()
    earlier: Earlier | None = None
    for number, cut in enumerate(trainings):

        def report(done: int, total: int, before: int = number) -> None:
            progress(STAGE, before * total + done, len(trainings) * total)

        folder = out / cut.members / KIND
        earlier = train_cut(shop, cut, text, photos, cast(Effort, effort), seed, folder, report, told, earlier)


def train_cut(
    shop: Prepared,
    cut: Cut,
    text: Floats,
    photos: ItemPhotos | None,
    effort: Effort,
    seed: int,
    folder: Path,
    report: Report,
    told: Settings,
    earlier: Earlier | None = None,
) -> Earlier | None:
    """Train on one cut and write the member's folder, unless the cut has nothing to learn from.

    Returns:
        The training, from which that of the next cut may go on, as this one does from *earlier*; never the other way
        round: what an older cut's member knows must end where its training events end.
    """
    entries = Entries.from_events(shop.train(cut), shop.split.target_events, len(shop.users))
    config = check(photos, told.fill(KIND, begun(shop, entries, effort, seed)))
    before = earlier if earlier and earlier.leads_to(entries) else None
    learned = material(shop, cut, entries, text, config, before, photos)
    if not len(learned.positions):
        return earlier
    towers, chosen = fit(learned, config, report, before)
    export(towers, learned.known(chosen), chosen, folder)
    return Earlier(learned, towers, config.model_copy(update={name: getattr(chosen, name) for name in DESIGN}))


def begun(shop: Prepared, entries: Entries, effort: Effort, seed: int) -> DeepConfig:
    """The settings of a shop that nobody told otherwise."""
    return config_for(effort, seed, in_baskets(entries), shop.shop.task == "discovery", len(shop.items))


def text_embedding(folder: Path, n_items: int) -> Floats:
    """(n_items, d) float32; one column of zeros where the shop has no text embedding."""
    path = folder / TEXT_FILE
    if not path.is_file():
        return np.zeros((n_items, 1), dtype=np.float32)
    return np.asarray(np.load(path, allow_pickle=False), dtype=np.float32)
