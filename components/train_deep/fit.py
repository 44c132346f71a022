"""From a cut's training events to a trained pair of towers."""

from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt

from components.common.prepared import Cut, Prepared
from components.train_deep.batches import PositionSampler, Sampler, SequenceSampler
from components.train_deep.config import DeepConfig
from components.train_deep.features import ItemFeatures, item_features
from components.train_deep.histories import NEVER, Entries, Positions, borders, positions
from components.train_deep.initial import log_popularity, starting_ids
from components.train_deep.model import ItemTower, Tasks, UserTower, serving_model
from components.train_deep.optimise import Optimiser
from components.train_deep.photos import ItemPhotos
from components.train_deep.train import Report, Towers, ndcg, step_function
from serving.arrays import Bools, Floats

Gains = npt.NDArray[np.float64]
DESIGN = ("encoder", "photos")
ENOUGH = 0.5  # of a cut's entries must have been learned by an older cut's training, for this one to go on from it


@dataclass(frozen=True)
class Material:
    """What one training learns from: entries, the positions before the hold-out, the hold-out, item features.

    trained: (n_items,) items with training events. photos: None where the shop has none.
    """

    entries: Entries
    learned: Entries
    positions: Positions
    held: Positions
    features: ItemFeatures
    trained: Bools
    photos: ItemPhotos | None = None

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return len(self.features.brands)

    def known(self, config: DeepConfig) -> Bools:
        """(n_items,) items with training events or features, a photo among them where *config* reads photos."""
        known = self.trained | self.features.known
        return known if self.photos is None or config.photos == "none" else known | self.photos.known


@dataclass(frozen=True)
class Earlier:
    """The training of an older cut, from which a newer one may go on: it knows nothing of the newer one's time."""

    learned: Material
    towers: Towers
    config: DeepConfig

    def leads_to(self, entries: Entries) -> bool:
        """Was there enough to learn from, and the same to learn, for *entries* to be but more of it."""
        before = self.learned.entries
        return before.kinds == entries.kinds and ENOUGH * len(entries) <= len(before) <= len(entries)


def material(
    prepared: Prepared,
    cut: Cut,
    entries: Entries,
    text: Floats,
    config: DeepConfig,
    earlier: Earlier | None = None,
    photos: ItemPhotos | None = None,
) -> Material:
    """Hold out the latest of some users and describe the catalogue.

    Args:
        prepared: the shop.
        cut: whose training events are used.
        entries: those events, folded.
        text: (n_items, d) text embedding, all zeros where there is none.
        config: what is held out, and how features are reduced.
        earlier: the training that goes on, if any; its weights belong to its own description of the catalogue.
        photos: of the items, if the shop has any.
    """
    events = prepared.train(cut)
    since = None if cut.as_of is None or cut.until is None else 2 * cut.as_of - cut.until
    border = borders(entries, events, since, config.hold_out_share, config.hold_out_users, config.seed)
    before, held = positions(entries, prepared.shop.task == "discovery", border)
    learned = entries.before(border)
    trained = np.bincount(entries.item, minlength=len(prepared.items)) > 0
    features = (
        earlier.learned.features
        if earlier
        else item_features(prepared.items, text, trained, config.text_size, config.min_token_items)
    )
    if earlier:
        photos = earlier.learned.photos
    elif photos is not None:
        photos = photos.reduced(trained, config.photo_size)
    return Material(entries, learned, before, held, features, trained, photos)


def fit(
    material: Material, config: DeepConfig, report: Report, earlier: Earlier | None = None
) -> tuple[Towers, DeepConfig]:
    """The trained pair, of the best design if there are several to try, and its settings.

    Args:
        material: what to learn from.
        config: its encoder and then its `rivals`, if any, are tried for `trial_steps` each, then, with the best of
            these, its `photo_rivals`; only what beats the best so far on the hold-out by more than chance replaces it.
        report: called with steps done and steps in all.
        earlier: the training of an older cut: its design stays, and its weights are trained for `more_steps`.
    """
    if earlier:
        design = {name: getattr(earlier.config, name) for name in DESIGN}
        chosen = config.model_copy(update=design | {"max_steps": config.more_steps})
        return train(material, chosen, report, earlier)[0], chosen
    trials = _trials(config) if len(material.held) else []
    short = config.model_copy(update={"max_steps": min(config.trial_steps, config.max_steps)})
    step = short.steps(len(material.positions))
    total = len(trials) * step + config.steps(len(material.positions))
    best, values = config, None
    for number, design in enumerate(trials):

        def advance(done: int, _: int, before: int = number * step) -> None:
            report(before + done, total)

        tried = best.model_copy(update=design)
        found = train(material, tried.model_copy(update={"max_steps": short.max_steps}), advance)[1]
        if values is None or is_gain(found - values):
            best, values = tried, found
    before = len(trials) * step
    return train(material, best, lambda done, _: report(before + done, total))[0], best


def _trials(config: DeepConfig) -> list[dict[str, str]]:
    """What each trial changes of the best so far; the first one nothing. None where nothing rivals the design."""
    readers = [{"encoder": str(rival)} for rival in config.rivals]
    rivals = [*readers, *({"photos": str(rival)} for rival in config.photo_rivals)]
    return [{}, *rivals] if rivals else []


def train(
    material: Material, config: DeepConfig, report: Report, earlier: Earlier | None = None
) -> tuple[Towers, Gains]:
    """Train on the positions before the hold-out; the weights kept are those that ranked the hold-out best.

    Returns:
        the towers, and NDCG@10 of every position held out.
    """
    keras.utils.set_random_seed(config.seed)
    total = config.steps(len(material.positions))
    towers = gone_on(earlier, material, config) if earlier else untrained(material, config)
    others = [variable for variable in towers.variables if variable is not towers.item.ids]
    optimiser = Optimiser(towers.item.ids, others, config.learning_rate, total)
    learn = step_function(towers, optimiser, config.passes == "sequences", config.other_weight)
    sampler = sampler_for(material, config)
    best, kept, waited = _judge(towers, material, config), towers.weights(), 0
    for done in range(1, total + 1):
        learn(*next(sampler).arrays())
        if done % config.look_every and done < total:
            continue
        report(done, total)
        values = _judge(towers, material, config)
        if values.mean() >= best.mean():
            best, kept, waited = values, towers.weights(), 0
        elif (waited := waited + 1) > config.patience:
            break
    towers.restore(kept)
    report(total, total)
    return towers, best


def untrained(material: Material, config: DeepConfig) -> Towers:
    """Towers at their start: item ids at factors, biases at popularity, and nothing else said."""
    ids = starting_ids(material.learned, material.n_items, config)
    return _towers(ids, log_popularity(material.learned, material.n_items), material, config)


def gone_on(earlier: Earlier, material: Material, config: DeepConfig) -> Towers:
    """Towers with the weights of an older cut; biases follow the popularity that items have won or lost since."""
    before, n_items = earlier.towers, material.n_items
    gained = log_popularity(material.learned, n_items) - log_popularity(earlier.learned.learned, n_items)
    towers = _towers(before.item.ids.numpy(), before.item.bias.numpy(), material, config)
    towers.restore(before.weights())
    towers.item.bias.assign_add(gained)
    return towers


def _towers(ids: Floats, bias: Floats, material: Material, config: DeepConfig) -> Towers:
    item = ItemTower(material.features, ids, bias, config, material.photos)
    user = UserTower(config)
    tasks = Tasks(1 + len(material.entries.kinds), material.n_items, config.embedding_size)
    return Towers(user, item, tasks, serving_model(user, tasks, config))


def sampler_for(material: Material, config: DeepConfig) -> Sampler:
    """What draws the steps of training."""
    if config.passes == "positions":
        return PositionSampler(material.entries, material.positions, material.n_items, config)
    entries = material.learned.firsts()
    at, _ = positions(entries, True, np.full(len(entries.starts) - 1, NEVER, dtype=np.int32))
    return SequenceSampler(entries, at, material.n_items, config)


def is_gain(differences: Gains) -> bool:
    """Is the mean of paired differences above 0 by more than its standard error."""
    return bool(differences.mean() > differences.std() / max(len(differences), 1) ** 0.5)


def _judge(towers: Towers, material: Material, config: DeepConfig) -> Gains:
    return ndcg(towers, material.entries, material.held, config.length) if len(material.held) else np.zeros(1)
