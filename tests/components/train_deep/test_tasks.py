"""Looking and buying as two tasks over shared towers; and Adam by rows against Keras's own."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from member_contract import COLD, GROUPS, USERS, group_of, planted_shop, planted_states

from components.common import columns as c
from components.common.prepared import Prepared
from components.train_deep.config import DeepConfig
from components.train_deep.export import export
from components.train_deep.fit import fit, material
from components.train_deep.histories import NEVER, Entries, positions
from components.train_deep.optimise import RowAdam
from serving.catalogue import Catalogue
from serving.members.sequence import Sequence
from serving.queries import RECOMMEND, Queries

WINDOW_ONLY = np.arange(COLD) // GROUPS % 2 == 1  # of every group two items are looked at and never bought
SMALL = {
    "embedding_size": 16, "length": 4, "batch_size": 32, "max_steps": 150, "epochs": 100, "look_every": 150,
    "text_size": 4, "feature_size": 8, "learning_rate": 0.01, "hold_out_share": 0.1, "other_weight": 1.0,
}  # fmt: skip


def shop_with_windows() -> Prepared:
    """The planted shop where some items are only looked at."""
    shop = planted_shop()
    shop.events[c.EVENT] = np.where(WINDOW_ONLY[shop.events[c.ITEM]], "view", "purchase")
    return shop


def test_each_head_learns_its_own_kind_and_the_head_of_success_is_served(tmp_path: Path) -> None:
    shop = shop_with_windows()
    cut = shop.split.test
    entries = Entries.from_events(shop.train(cut), ("purchase",), len(shop.users))
    config = DeepConfig.parse(SMALL, "test")
    found = material(shop, cut, entries, np.zeros((COLD + 1, 1), np.float32), config)
    towers, _ = fit(found, config, lambda *_: None)
    export(towers, found.known(config), config, tmp_path)
    served = Sequence.load(tmp_path, Catalogue(shop.items))
    states = planted_states(shop, cut, range(USERS))
    scores = served.score_all(Queries(RECOMMEND, states))[:, :COLD]
    own = group_of(np.arange(USERS))[:, None] == group_of(np.arange(COLD))
    bought = np.where(own & ~WINDOW_ONLY, scores, np.inf).min(axis=1)
    looked_at = np.where(own & WINDOW_ONLY, scores, -np.inf).max(axis=1)
    assert (bought > looked_at).all()
    one = towers.tasks.bias_of(np.arange(COLD), 1) - towers.tasks.bias_of(np.arange(COLD), 0)
    assert np.asarray(one)[WINDOW_ONLY].min() > np.asarray(one)[~WINDOW_ONLY].max()


def test_other_kinds_are_tasks_of_their_own() -> None:
    frame = pd.DataFrame(
        [(0, 0, 5, "purchase"), (0, 1, 3, "view"), (0, 1, 4, "cart"), (0, 1, 4, "purchase"), (0, 2, 3, "view")],
        columns=[c.USER, c.VISIT, c.ITEM, c.EVENT],
    )
    entries = Entries.from_events(frame, ("purchase",), 1)
    assert entries.kinds == ("cart", "view")
    at, _ = positions(entries, True, np.full(1, NEVER, dtype=np.int32))
    pairs = list(zip(at.targets.tolist(), at.tasks.tolist(), strict=True))
    assert pairs == [(3, 2), (4, 0), (4, 1)]  # 3 is looked at, 4 put into the cart and bought; 3 is known then
    held = positions(entries, True, np.array([1], dtype=np.int32))[1]
    assert list(zip(held.targets.tolist(), held.tasks.tolist(), strict=True)) == [(4, 0)]


def test_one_kind_of_event_needs_no_heads() -> None:
    shop = planted_shop()
    entries = Entries.from_events(shop.events, ("purchase",), len(shop.users))
    assert entries.kinds == ()
    assert entries.others.shape == (len(entries), 0)


def test_adam_by_rows_is_adam_where_every_row_is_touched() -> None:
    start = np.arange(12, dtype=np.float32).reshape(4, 3)
    ours, theirs = keras.Variable(start), keras.Variable(start)
    rows, whole = RowAdam(ours), keras.optimizers.Adam(0.01)
    for step in range(3):
        gradient = np.sin(start + step).astype(np.float32)
        rows.apply(tf.IndexedSlices(gradient[::-1].copy(), np.arange(4)[::-1].copy()), tf.constant(0.01))
        whole.apply([tf.constant(gradient)], [theirs])
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), atol=1e-5)


def test_adam_by_rows_leaves_the_rest_alone() -> None:
    table = keras.Variable(np.ones((4, 3), np.float32))
    RowAdam(table).apply(tf.IndexedSlices(np.ones((1, 3), np.float32), np.array([2])), tf.constant(0.1))
    assert np.asarray(table)[[0, 1, 3]].tolist() == [[1, 1, 1]] * 3
    np.testing.assert_allclose(np.asarray(table)[2], 0.9, atol=1e-5)
