"""Photos in the deep member: what only they say is learned, and an item without one is as if nobody asked."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from member_contract import COLD, GROUPS, group_of, planted_items, planted_shop, planted_states

from components.common import columns as c
from components.common.errors import ConfigError
from components.common.files import read_json
from components.common.prepared import Prepared
from components.train_deep.config import DeepConfig
from components.train_deep.export import export
from components.train_deep.features import item_features
from components.train_deep.fit import Material, fit, material
from components.train_deep.histories import Entries
from components.train_deep.looks import CategorySpecific, CrossModal
from components.train_deep.model import ItemTower
from components.train_deep.photos import MAPS_FILE, VECTORS_FILE, ItemPhotos, check
from components.train_deep.run import train_deep
from serving.catalogue import Catalogue
from serving.members.sequence import Sequence, windows
from serving.queries import RECOMMEND, Queries

WAYS = ("vector", "cscnn", "deepfusion")
UNSEEN = 5  # the item without a photo
SMALL = {
    "embedding_size": 16, "length": 4, "batch_size": 32, "max_steps": 80, "epochs": 100, "look_every": 80,
    "text_size": 4, "feature_size": 8, "learning_rate": 0.005, "start_length": 1.0, "hold_out_share": 0.1,
}  # fmt: skip


def photos_of(seed: int = 0) -> ItemPhotos:
    """Somewhere in an item's photo is what its group looks like; all else is noise."""
    rng = np.random.default_rng(seed)
    maps = rng.normal(scale=0.1, size=(COLD + 1, 2, 2, 4)).astype(np.float16)
    rows = np.arange(COLD + 1)
    maps[rows, rng.integers(0, 2, COLD + 1), rng.integers(0, 2, COLD + 1), rows % GROUPS] += 2
    vectors = maps.max(axis=(1, 2)).astype(np.float32)
    maps[UNSEEN], vectors[UNSEEN] = np.nan, np.nan
    return ItemPhotos(vectors, maps, rows != UNSEEN)


def silent_shop(protocol: str = "temporal") -> Prepared:
    """The planted shop, whose items say nothing but what they look like."""
    shop = planted_shop(protocol=protocol)
    bare = shop.items.copy()
    bare[c.CATEGORY], bare[c.BRAND], bare[c.PRICE_NORM] = "", "", np.float32(0)
    return Prepared(shop.events, bare, shop.users, shop.split, shop.shop)


def material_of(shop: Prepared, config: DeepConfig) -> Material:
    cut = shop.split.test
    entries = Entries.from_events(shop.train(cut), shop.split.target_events, len(shop.users))
    return material(shop, cut, entries, np.zeros((len(shop.items), 1), np.float32), config, photos=photos_of())


@pytest.mark.parametrize("way", WAYS)
def test_a_cold_item_that_has_only_a_photo_follows_it_and_is_served_as_trained(way: str, tmp_path: Path) -> None:
    shop = silent_shop()
    config = DeepConfig.parse({**SMALL, "photos": way, "id_dropout": 0.3}, "test")
    found = material_of(shop, config)
    towers, chosen = fit(found, config, lambda *_: None)
    export(towers, found.known(chosen), chosen, tmp_path / "sequence")
    member = Sequence.load(tmp_path / "sequence", Catalogue(shop.items))
    states = planted_states(shop, shop.split.test, range(len(shop.users)))
    scores = member.score_all(Queries(RECOMMEND, states))
    own = group_of(np.arange(len(states))) == COLD % GROUPS
    assert scores[own, COLD].min() > scores[~own, COLD].max()
    items, ages = windows(states, 4)
    vectors = towers.item_vectors()
    users = np.asarray(towers.reader([np.where((items >= 0)[..., None], vectors[items], np.float32(0)), ages]))
    np.testing.assert_allclose(scores, users @ vectors.T + towers.bias(), atol=1e-5, rtol=0)


def test_who_reads_no_photos_does_not_score_an_item_that_has_nothing_else() -> None:
    shop = silent_shop()
    found = material_of(shop, DeepConfig())
    assert found.known(DeepConfig()).tolist() == [True] * COLD + [False]
    assert found.known(DeepConfig(photos="vector")).all()


@pytest.mark.parametrize("way", WAYS)
def test_a_missing_photo_is_masked(way: str) -> None:
    config = DeepConfig.parse({**SMALL, "photos": way}, "test")
    features = item_features(planted_items(), np.zeros((COLD + 1, 1), np.float32), np.ones(COLD + 1, bool), 4, 1)
    ids, bias = np.zeros((COLD + 1, 16), np.float32), np.zeros(COLD + 1, np.float32)
    photos = photos_of().reduced(np.ones(COLD + 1, bool), 4)
    keras.utils.set_random_seed(0)
    seeing = ItemTower(features, ids, bias, config, photos)
    before = np.asarray(seeing(ops.arange(COLD + 1)))
    assert seeing.look is not None
    for variable in seeing.look.trainable_variables:
        variable.assign(variable + 1)
    after = np.asarray(seeing(ops.arange(COLD + 1)))
    assert np.isfinite(after).all()
    changed = np.abs(after - before).max(axis=1) > 0
    assert changed.tolist() == [row != UNSEEN for row in range(COLD + 1)]


def test_the_category_says_which_channel_counts() -> None:
    """Of each photo one channel is wanted, by its category: who does not know the category cannot tell."""
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(300, 2, 2, 2)).astype(np.float16)
    kind = rng.integers(0, 2, 300)
    wanted = maps.mean(axis=(1, 2))[np.arange(300), kind].astype(np.float32)[:, None]
    photos = ItemPhotos(np.zeros((300, 1), np.float32), maps, np.ones(300, bool))
    known, hidden = (fitted_error(photos, category, wanted) for category in (np.eye(2)[kind], np.zeros((300, 2))))
    assert known < 0.5 * hidden


def fitted_error(photos: ItemPhotos, category: np.ndarray, wanted: np.ndarray) -> float:
    keras.utils.set_random_seed(0)
    layer = CategorySpecific(photos, DeepConfig(embedding_size=8, dropout=0.0))
    rows, given = keras.Input((), dtype="int32"), keras.Input((2,))
    seen = layer(rows, dict.fromkeys(("text", "category", "brand", "attributes", "there"), given))
    model = keras.Model([rows, given], keras.layers.Dense(1)(seen))
    model.compile(keras.optimizers.Adam(0.02), "mse")
    model.fit([np.arange(300), category], wanted, batch_size=300, epochs=80, verbose=0)
    return float(model.evaluate([np.arange(300), category], wanted, batch_size=300, verbose=0))


def test_what_is_not_known_of_an_item_is_not_attended_to() -> None:
    photos = photos_of()
    layer = CrossModal(photos, DeepConfig.parse({**SMALL}, "test"))
    rng = np.random.default_rng(0)
    rows = ops.arange(2)
    given = {name: rng.normal(size=(2, 8)).astype(np.float32) for name in ("text", "category", "brand", "attributes")}
    there = np.array([[1, 1, 0, 1], [0, 0, 0, 0]], np.float32)
    before = np.asarray(layer(rows, given | {"there": there}))
    other = np.asarray(layer(rows, given | {"brand": given["brand"] + 5, "there": there}))
    np.testing.assert_array_equal(before, other)
    moved = np.asarray(layer(rows, {name: x + 5 for name, x in given.items()} | {"there": there}))
    assert np.abs(moved[0] - before[0]).max() > 0
    np.testing.assert_array_equal(moved[1], before[1])  # of whom nothing is known but the photo


def test_photos_are_read_from_the_embeddings(tmp_path: Path) -> None:
    assert ItemPhotos.load(tmp_path) is None
    photos = photos_of()
    np.save(tmp_path / VECTORS_FILE, photos.vectors)
    without = ItemPhotos.load(tmp_path)
    np.save(tmp_path / MAPS_FILE, photos.maps)
    whole = ItemPhotos.load(tmp_path)
    assert without is not None
    assert whole is not None
    assert whole.known.tolist() == without.known.tolist() == photos.known.tolist()
    assert (whole.maps.shape, without.maps.shape[-1]) == (photos.maps.shape, 0)
    every = DeepConfig(photo_rivals=WAYS)
    assert check(whole, every).photo_rivals == WAYS
    assert check(without, every).photo_rivals == ("vector",)
    assert check(None, every).photo_rivals == ()
    with pytest.raises(ConfigError, match="offer none, vector"):
        check(without, DeepConfig(photos="cscnn"))


def test_a_shop_switches_it_on_by_its_settings(tmp_path: Path) -> None:
    """Every training reads photos, the newer one with the weights of the older."""
    shop, photos = planted_shop(), photos_of()
    shop.save(tmp_path / "prepared")
    np.save(tmp_path / VECTORS_FILE, photos.vectors)
    np.save(tmp_path / MAPS_FILE, photos.maps)
    told = json.dumps({"members": {"sequence": {**SMALL, "photos": "cscnn", "max_steps": 4, "more_steps": 2}}})
    train_deep(tmp_path / "prepared", tmp_path, tmp_path / "out", "fast", 0, told)
    for cut in shop.split.trainings:
        assert read_json(tmp_path / "out" / cut.members / "sequence" / "member.json")["photos"] == "cscnn"


def test_the_hold_out_tells_whether_photos_are_read() -> None:
    shop = silent_shop("leave-one-out")
    config = DeepConfig.parse({**SMALL, "photo_rivals": ("vector",), "trial_steps": 10, "max_steps": 20}, "test")
    told: list[tuple[int, int]] = []
    towers, chosen = fit(material_of(shop, config), config, lambda done, total: told.append((done, total)))
    assert (towers.item.look is None) == (chosen.photos == "none")
    assert {total for _, total in told} == {40}
