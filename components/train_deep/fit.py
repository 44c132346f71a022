"""From a cut's training events to a trained pair of towers."""

from dataclasses import dataclass

import keras
import numpy as np

from components.common.prepared import Cut, Prepared
from components.train_deep.batches import Sampler
from components.train_deep.config import DeepConfig
from components.train_deep.features import ItemFeatures, item_features
from components.train_deep.histories import Entries, Positions, borders, positions
from components.train_deep.initial import log_popularity, starting_ids
from components.train_deep.model import ItemTower, user_tower
from components.train_deep.train import Report, Towers, ndcg, step_function
from serving.arrays import Bools, Floats


@dataclass(frozen=True)
class Material:
    """What one training learns from: entries, the positions before the hold-out, the hold-out, item features."""

    entries: Entries
    learned: Entries
    positions: Positions
    held: Positions
    features: ItemFeatures
    known: Bools  # (n_items,) items with training events or features

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return len(self.features.brands)


def material(prepared: Prepared, cut: Cut, entries: Entries, text: Floats, config: DeepConfig) -> Material:
    """Hold out the latest of some users and describe the catalogue.

    Args:
        prepared: the shop.
        cut: whose training events are used.
        entries: those events, folded.
        text: (n_items, d) text embedding, all zeros where there is none.
        config: what is held out, and how features are reduced.
    """
    events = prepared.train(cut)
    since = None if cut.as_of is None or cut.until is None else 2 * cut.as_of - cut.until
    border = borders(entries, events, since, config.hold_out_share, config.hold_out_users, config.seed)
    before, held = positions(entries, prepared.shop.task == "discovery", border)
    learned = entries.before(border)
    trained = np.bincount(entries.item, minlength=len(prepared.items)) > 0
    features = item_features(prepared.items, text, trained, config.text_size, config.min_token_items)
    return Material(entries, learned, before, held, features, trained | features.known)


def fit(material: Material, config: DeepConfig, report: Report) -> Towers:
    """Train on the positions before the hold-out; the weights kept are those that ranked the hold-out best."""
    keras.utils.set_random_seed(config.seed)
    ids = starting_ids(material.learned, material.n_items, config)
    bias = log_popularity(material.learned, material.n_items)
    towers = Towers(user_tower(config), ItemTower(material.features, ids, bias, config))
    learn = step_function(towers, keras.optimizers.Adam(config.learning_rate))
    sampler = Sampler(material.entries, material.positions, material.n_items, config)
    best, kept, waited = _judge(towers, material, config), towers.weights(), 0
    total = config.steps(len(material.positions))
    for done in range(1, total + 1):
        learn(*next(sampler).arrays())
        if done % config.look_every and done < total:
            continue
        report(done, total)
        value = _judge(towers, material, config)
        if value >= best:
            best, kept, waited = value, towers.weights(), 0
        elif (waited := waited + 1) > config.patience:
            break
    towers.restore(kept)
    report(total, total)
    return towers


def _judge(towers: Towers, material: Material, config: DeepConfig) -> float:
    return ndcg(towers, material.entries, material.held, config.length) if len(material.held) else 0.0
