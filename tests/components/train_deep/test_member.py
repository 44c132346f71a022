"""The deep member from training to serving, on the shop with planted answers."""

import shutil
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import tensorflow as tf
from member_contract import COLD, GROUPS, MemberContract, group_of, planted_shop, planted_states

from components.common import columns as c
from components.common.prepared import Cut, Prepared
from components.train_deep.config import DeepConfig
from components.train_deep.export import export
from components.train_deep.fit import Earlier, Material, fit, gone_on, is_gain, material
from components.train_deep.histories import Entries
from components.train_deep.initial import log_popularity
from components.train_deep.train import Towers
from serving.arrays import Floats, Ints
from serving.catalogue import Catalogue
from serving.members.sequence import Sequence, windows
from serving.queries import RECOMMEND, Queries
from serving.states import UserStates

SMALL = {
    "embedding_size": 16, "length": 4, "batch_size": 32, "max_steps": 120, "epochs": 100, "look_every": 60,
    "text_size": 4, "feature_size": 8, "learning_rate": 0.005, "start_length": 1.0, "hold_out_share": 0.1,
}  # fmt: skip


def silent(done: int, total: int) -> None:
    assert 0 < done <= total


def learned(prepared: Prepared, cut: Cut, config: DeepConfig) -> tuple[Towers, Material]:
    entries = Entries.from_events(prepared.train(cut), prepared.split.target_events, len(prepared.users))
    text = np.zeros((len(prepared.items), 4), dtype=np.float32)
    found = material(prepared, cut, entries, text, config)
    return fit(found, config, silent)[0], found


@cache
def trained(
    protocol: str, cut_name: str, seed: int, encoder: str = "mlp", passes: str = "sequences"
) -> tuple[Towers, Material, Path]:
    """Train once per test process."""
    prepared = planted_shop(protocol=protocol)
    cut = next(cut for cut in prepared.split.cuts if cut.name == cut_name)
    config = DeepConfig.parse({**SMALL, "seed": seed, "encoder": encoder, "passes": passes}, "test")
    towers, found = learned(prepared, cut, config)
    folder = Path(tempfile.mkdtemp()) / "sequence"
    export(towers, found.known(config), config, folder)
    return towers, found, folder


class TestSequence(MemberContract):
    member: ClassVar[type[Sequence]] = Sequence
    config: ClassVar[type[DeepConfig]] = DeepConfig

    def train(self, prepared: Prepared, cut: Cut, folder: Path, seed: int) -> None:
        if folder.name == "again":
            config = DeepConfig.parse({**SMALL, "seed": seed}, "test")
            towers, found = learned(prepared, cut, config)
            export(towers, found.known(config), config, folder)
        else:
            shutil.copytree(trained(self.protocol, cut.name, seed)[2], folder)


def test_a_cold_item_follows_its_features() -> None:
    prepared = planted_shop()
    member, states = loaded(prepared)
    cold = member.score_all(Queries(RECOMMEND, states))[:, COLD]
    own = group_of(np.arange(len(states))) == COLD % GROUPS
    assert np.isfinite(cold).all()
    assert cold[own].min() > cold[~own].max()


def test_in_order_the_next_item_of_the_ring_is_first_among_the_new() -> None:
    prepared = planted_shop(protocol="leave-one-out")
    fit_cut = prepared.split.fits[0]
    member, states = loaded(prepared, fit_cut)
    scores = member.score_all(Queries(RECOMMEND, states))
    scores[states.row_of, states.items] = -np.inf
    target = prepared.target(fit_cut).set_index(c.USER)[c.ITEM]
    assert (scores.argmax(axis=1) == target.loc[list(range(len(states)))].to_numpy()).mean() > 0.95


def loaded(prepared: Prepared, cut: Cut | None = None) -> tuple[Sequence, UserStates]:
    """The member trained on *prepared* and the states of its users at *cut*, the test cut unless said."""
    test = prepared.split.test
    folder = trained(prepared.split.protocol, test.name, 7)[2]
    states = planted_states(prepared, cut or test, range(len(prepared.users)))
    return Sequence.load(folder, Catalogue(prepared.items)), states


@pytest.mark.parametrize(
    ("encoder", "protocol", "passes"),
    [
        ("attention", "temporal", "sequences"),
        ("attention", "leave-one-out", "sequences"),
        ("transformer", "leave-one-out", "positions"),
        ("cnn", "leave-one-out", "sequences"),
        ("gru", "temporal", "positions"),
        ("lstm", "temporal", "sequences"),
    ],
)
def test_exported_equals_trained(encoder: str, protocol: str, passes: str) -> None:
    prepared = planted_shop(protocol=protocol)
    cut = prepared.split.test
    towers, _, folder = trained(protocol, cut.name, 7, encoder, passes)
    states = planted_states(prepared, cut, range(48))
    member = Sequence.load(folder, Catalogue(prepared.items))
    served = member.score_all(Queries(RECOMMEND, states))
    np.testing.assert_allclose(served, keras_scores(towers, *windows(states, 4)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("encoder", ["mlp", "attention", "transformer", "cnn", "gru", "lstm"])
def test_a_user_is_the_same_in_every_bit_in_whatever_batch(encoder: str) -> None:
    prepared = planted_shop(protocol="leave-one-out")
    folder = trained("leave-one-out", prepared.split.test.name, 7, encoder)[2]
    member = Sequence.load(folder, Catalogue(prepared.items))
    rng = np.random.default_rng(0)
    histories = [rng.permutation(COLD)[: 1 + row % 7].tolist() for row in range(23)]
    together = member.user_vectors(UserStates.from_items(histories, as_of=9))
    for row, history in enumerate(histories):
        np.testing.assert_array_equal(member.user_vectors(UserStates.from_items([history], as_of=9))[0], together[row])


def keras_scores(towers: Towers, items: Ints, ages: Ints) -> Floats:
    vectors = towers.item_vectors()
    history = np.where((items >= 0)[..., None], vectors[items], np.float32(0))
    users = np.asarray(towers.reader([tf.constant(history), tf.constant(ages)]))
    return np.asarray(users @ vectors.T + towers.bias(), dtype=np.float32)


def test_a_cold_item_without_features_is_not_scored() -> None:
    prepared = planted_shop()
    bare = prepared.items.copy()
    bare[c.CATEGORY], bare[c.BRAND], bare[c.PRICE_NORM] = "", "", np.float32(0)
    prepared = Prepared(prepared.events, bare, prepared.users, prepared.split, prepared.shop)
    cut = prepared.split.test
    entries = Entries.from_events(prepared.train(cut), prepared.split.target_events, len(prepared.users))
    found = material(prepared, cut, entries, np.zeros((len(bare), 1), np.float32), DeepConfig())
    assert found.known(DeepConfig()).tolist() == [True] * COLD + [False]


def test_of_designs_the_first_stays_unless_another_beats_it_by_more_than_chance() -> None:
    differences = np.tile([0.0, 0.0, 0.1], 100)
    assert is_gain(differences)
    assert not is_gain(-differences)
    assert not is_gain(np.zeros(100))
    prepared = planted_shop(protocol="leave-one-out")
    cut = prepared.split.test
    config = DeepConfig.parse(
        {**SMALL, "encoder": "lstm", "rivals": ("mlp",), "trial_steps": 10, "max_steps": 20}, "test"
    )
    entries = Entries.from_events(prepared.train(cut), prepared.split.target_events, len(prepared.users))
    found = material(prepared, cut, entries, np.zeros((len(prepared.items), 1), np.float32), config)
    told: list[tuple[int, int]] = []
    towers, chosen = fit(found, config, lambda done, total: told.append((done, total)))
    assert chosen.encoder in ("lstm", "mlp")
    assert (towers.user.reader is None) == (chosen.encoder == "mlp")
    assert told == sorted(told)
    assert {total for _, total in told} == {40}


def test_a_newer_cut_goes_on_from_an_older_ones_weights_and_follows_popularity() -> None:
    prepared = planted_shop()
    older, newer = prepared.split.fits[0], prepared.split.test
    config = DeepConfig.parse({**SMALL, "max_steps": 60, "more_steps": 7}, "test")
    towers, before = learned(prepared, older, config)
    earlier = Earlier(before, towers, config)
    entries = Entries.from_events(prepared.train(newer), prepared.split.target_events, len(prepared.users))
    assert earlier.leads_to(entries)
    found = material(prepared, newer, entries, np.zeros((len(prepared.items), 4), np.float32), config, earlier)
    begun = gone_on(earlier, found, config)
    assert begun is not towers
    np.testing.assert_array_equal(begun.item.ids.numpy(), towers.item.ids.numpy())
    np.testing.assert_array_equal(begun.user.more.kernel.numpy(), towers.user.more.kernel.numpy())
    gained = begun.item.bias.numpy() - towers.item.bias.numpy()
    won = log_popularity(found.learned, COLD + 1) - log_popularity(before.learned, COLD + 1)
    assert np.abs(won).max() > 0.01
    np.testing.assert_allclose(gained, won, atol=1e-5)
    told: list[tuple[int, int]] = []
    kept = towers.weights()
    assert fit(found, config, lambda done, total: told.append((done, total)), earlier)[1].max_steps == 7
    assert {total for _, total in told} == {7}
    assert all(np.array_equal(one, other) for one, other in zip(kept, towers.weights(), strict=True))


def test_a_training_leads_to_one_of_at_most_twice_its_entries_and_never_back_in_time() -> None:
    prepared = planted_shop()
    older, newer = (
        Entries.from_events(prepared.train(cut), prepared.split.target_events, len(prepared.users))
        for cut in (prepared.split.fits[0], prepared.split.test)
    )
    config = DeepConfig.parse({**SMALL, "max_steps": 1}, "test")
    towers, found = learned(prepared, prepared.split.test, config)
    assert Earlier(found, towers, config).leads_to(newer)
    assert not Earlier(found, towers, config).leads_to(older)
    few = replace(found, entries=newer.before(np.full(len(prepared.users), 1, np.int32)))
    assert not Earlier(few, towers, config).leads_to(newer)


def test_the_hold_out_is_never_the_target() -> None:
    for protocol in ("temporal", "leave-one-out"):
        prepared = planted_shop(protocol=protocol)
        for cut in prepared.split.cuts:
            train = prepared.train(cut)
            entries = Entries.from_events(train, ("purchase",), len(prepared.users))
            text = np.zeros((len(prepared.items), 1), np.float32)
            found = material(prepared, cut, entries, text, DeepConfig())
            assert len(found.held)
            last = train.groupby(c.USER)[c.VISIT].max()
            assert (found.held.visit <= last[found.held.user]).all()
            held = dict(zip(found.held.user.tolist(), found.held.visit.tolist(), strict=True))
            assert all(visit < held.get(user, 99) for user, visit in zip(
                found.positions.user.tolist(), found.positions.visit.tolist(), strict=True))  # fmt: skip
