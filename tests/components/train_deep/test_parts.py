"""Features, starting points, sampling and the stage's files, each by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from member_contract import COLD, GROUPS, planted_items, planted_shop

from components.common import columns as c
from components.common.files import read_json
from components.common.prepared import Cut, Prepared
from components.train_deep.batches import PositionSampler, Sampler, SequenceSampler, Step, windows_of
from components.train_deep.config import DeepConfig, config_for
from components.train_deep.features import components, item_features
from components.train_deep.histories import NEVER, Entries, positions
from components.train_deep.initial import in_baskets, log_popularity, starting_ids
from components.train_deep.run import text_embedding, train_deep
from serving.catalogue import Catalogue
from serving.members.base import load_members

WARM = np.arange(COLD + 1) != COLD


def entries_of(prepared: Prepared) -> Entries:
    return Entries.from_events(prepared.events, ("purchase",), len(prepared.users))


def test_category_levels_share_their_prefixes() -> None:
    features = item_features(planted_items(), np.zeros((COLD + 1, 3), np.float32), WARM, 8, 2)
    roots, leaves = features.categories[:, 0], features.categories[:, 1]
    assert len(set(roots.tolist())) == 1
    assert [len(set(leaves[group::GROUPS].tolist())) for group in range(GROUPS)] == [1, 1, 1]
    assert len(set(leaves.tolist())) == GROUPS
    assert features.sizes == (1 + 1 + GROUPS, 1 + GROUPS, 1)
    assert features.dense.shape == (COLD + 1, 1)  # no text: the price alone


def test_rare_and_untrained_categories_have_no_token() -> None:
    items = planted_items()
    items[c.CATEGORY] = [*(["common"] * (COLD - 1)), "rare", "untrained"]
    features = item_features(items, np.zeros((COLD + 1, 3), np.float32), WARM, 8, 2)
    assert (features.categories[:-2, 0] > 0).all()
    assert not features.categories[-2:].any()


def test_attributes_are_keys_with_values_the_rarest_first() -> None:
    items = planted_items()
    said = ['{"colour": "red", "tags": ["new", "light"]}', '{"colour": "red", "tags": ["new"]}', "no JSON", "[1]"]
    items[c.ATTRIBUTES] = [*said, *(['{"colour": "red"}'] * (COLD - 3))]
    features = item_features(items, np.zeros((COLD + 1, 3), np.float32), WARM, 8, 2)
    red, new = 1, 2  # tags=light describes one item alone: nothing is learned of it
    assert features.attributes[:2, :3].tolist() == [[0, new, red], [new, red, 0]]
    assert not features.attributes[2:4].any()
    assert features.sizes[2] == 3


def test_components_have_unit_variance_and_keep_zero_rows() -> None:
    text = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    text[7] = 0
    found = components(text, np.ones(50, dtype=bool), 3)
    rest = np.delete(found, 7, axis=0)
    np.testing.assert_allclose(np.cov(rest, rowvar=False), np.eye(3), atol=1e-4)
    assert not found[7].any()
    assert components(np.zeros((5, 4), np.float32), np.ones(5, dtype=bool), 3).shape == (5, 0)


def test_the_bias_starts_at_log_popularity() -> None:
    bias = log_popularity(entries_of(planted_shop()), COLD + 1)
    assert bias.mean() == pytest.approx(0, abs=1e-6)
    assert bias[0] - bias[COLD] == pytest.approx(np.log(16.5 / 0.5), abs=1e-5)  # 16 users of the group, and none


@pytest.mark.parametrize("baskets", [False, True])
def test_starting_ids_point_the_same_way_within_a_group(baskets: bool) -> None:
    shop = planted_shop()
    if baskets:
        shop.events[c.VISIT] //= 3
    entries = entries_of(shop)
    assert in_baskets(entries) == baskets
    ids = starting_ids(entries, COLD + 1, DeepConfig(embedding_size=4))
    unit = ids[:COLD] / np.linalg.norm(ids[:COLD], axis=1, keepdims=True)
    alike = unit @ unit.T
    same = np.arange(COLD)[:, None] % GROUPS == np.arange(COLD)[None] % GROUPS
    assert alike[same].min() > alike[~same].max() + 0.5
    assert not ids[COLD].any()


def sampler(kind: type[Sampler] = PositionSampler, **settings: int) -> Sampler:
    shop = planted_shop()
    entries = entries_of(shop).firsts()
    at, _ = positions(entries, True, np.full(len(shop.users), NEVER, dtype=np.int32))
    return kind(entries, at, COLD + 1, DeepConfig.parse({"batch_size": 16, "length": 3, **settings}, "test"))


def test_a_step_names_its_items_choices_and_targets() -> None:
    draws = sampler(negatives=4)
    rows = np.arange(16)
    step = draws.step(rows)
    at = draws.positions.take(rows)
    assert step.rows[step.choices][step.targets[:, 0]].tolist() == at.targets.tolist()
    history = np.where(step.history >= 0, step.rows[step.history], -1)
    assert set(history[history >= 0] % GROUPS) <= set(at.user % GROUPS)
    chosen = step.rows[step.choices]
    for row, choice in step.seen:
        assert chosen[choice] in history[row]
    assert (step.log_q <= 0).all()
    assert COLD not in chosen


def test_one_pass_learns_every_position_once_from_the_same_history() -> None:
    by_sequence, by_position = sampler(SequenceSampler, length=4), sampler(PositionSampler, length=4)
    found = sorted(pair for batch in by_sequence._pass() for pair in read_in(by_sequence.step(batch)))
    expected = sorted(pair for batch in by_position._pass() for pair in read_in(by_position.step(batch)))
    assert found == expected


def read_in(step: Step) -> list[tuple[tuple[int, ...], int]]:
    """What each position of a step has before it and what it should find."""
    width = step.history.shape[1] if len(step.reads) > len(step.history) else 1
    items = np.where(step.history >= 0, step.rows[step.history], -1)
    pairs = []
    for read, target in zip(step.reads, step.targets[:, 0], strict=True):
        row = items[read // width] if width > 1 else items[read]
        before = row[: read % width + 1] if width > 1 else row
        pairs.append((tuple(before[before >= 0].tolist()), int(step.rows[step.choices][target])))
    return pairs


def test_long_histories_are_cut_so_that_half_a_window_precedes_each_position() -> None:
    visits = np.arange(25)
    frame = pd.DataFrame({c.USER: 0, c.VISIT: visits, c.ITEM: visits}).astype("int32").assign(event="purchase")
    entries = Entries.from_events(frame, ("purchase",), 1)
    at, _ = positions(entries, True, np.full(1, NEVER, dtype=np.int32))
    windows = windows_of(entries, at, 10)
    assert windows.start.tolist() == [0, 5, 10, 15]
    assert windows.width.tolist() == [10, 10, 10, 9]  # the last entry is a target alone
    assert windows.positions.tolist() == [10, 5, 5, 4]


def test_all_items_as_choices_need_no_correction() -> None:
    step = sampler(negatives=100).step(np.arange(16))
    assert step.rows[step.choices].tolist() == list(range(COLD))
    assert not step.log_q.any()


def test_log_q_is_the_share_of_steps_that_hold_the_item() -> None:
    draws = sampler(negatives=3)
    steps = [next(draws) for _ in range(600)]
    held = np.bincount(np.concatenate([step.rows[step.choices] for step in steps]), minlength=COLD + 1)[:COLD]
    said = np.exp(np.concatenate([step.log_q for step in steps]).mean())
    assert held.mean() / 600 == pytest.approx(said, rel=0.05)


def test_users_count_alike_where_balanced() -> None:
    draws = sampler(user_balance=1)
    draws.positions = draws.positions.take(np.array([0, 1, 2, 3, 4]))  # four of user 0, one of user 1
    assert draws.positions.user.tolist() == [0, 0, 0, 0, 1]
    drawn = np.concatenate([rows for _ in range(2000) for rows in draws._pass()])
    assert (drawn == 4).mean() == pytest.approx(0.5, abs=0.03)


def test_every_effort_has_its_settings() -> None:
    for effort in ("fast", "full"):
        order, baskets = (config_for(effort, 3, value, True, 1000) for value in (False, True))
        assert order.seed == baskets.seed == 3
        assert baskets.length > order.length
        assert order.passes == "sequences"
        assert config_for(effort, 3, False, False, 1000).passes == "positions"
    full, fast = (config_for(effort, 0, False, True, 1000) for effort in ("full", "fast"))
    assert full.max_steps > fast.max_steps
    assert full.encoder == fast.encoder
    assert full.rivals
    assert not fast.rivals


def test_vectors_shorten_as_the_catalogue_grows() -> None:
    sizes = [config_for("full", 0, False, True, n_items).embedding_size for n_items in (10_000, 100_000, 10_000_000)]
    assert sizes == [256, 128, 64]


def test_absent_text_is_zeros(tmp_path: Path) -> None:
    assert text_embedding(tmp_path, 3).tolist() == [[0], [0], [0]]


def test_the_stage_writes_one_member_a_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUVEE_PROGRESS", str(tmp_path / "progress.jsonl"))
    shop = planted_shop()
    shop.save(tmp_path / "prepared")
    (tmp_path / "embeddings").mkdir()
    text = np.random.default_rng(0).normal(size=(COLD + 1, 8)).astype(np.float32)
    np.save(tmp_path / "embeddings" / "text.npy", text)
    train_deep(tmp_path / "prepared", tmp_path / "embeddings", tmp_path / "out", "fast", 0)
    for cut in shop.split.trainings:
        members = load_members(tmp_path / "out" / cut.members, Catalogue(shop.items))
        assert list(members) == ["sequence"]
        about = read_json(tmp_path / "out" / cut.members / "sequence" / "member.json")
        assert (about["kind"], about["items"], about["length"]) == ("sequence", COLD + 1, 50)
    facts = pd.read_json(tmp_path / "progress.jsonl", lines=True)
    assert facts["done"].is_monotonic_increasing
    assert facts["done"].iloc[-1] == facts["total"].iloc[-1]


def test_a_shop_without_events_gets_no_member(tmp_path: Path) -> None:
    shop = planted_shop()
    split = shop.split.model_copy(update={"cuts": (Cut(name="test", role="test", members="final"),)})
    Prepared(shop.events.iloc[:0], shop.items, shop.users.iloc[:0], split, shop.shop).save(tmp_path / "prepared")
    train_deep(tmp_path / "prepared", tmp_path, tmp_path / "out", "fast", 0)
    assert list((tmp_path / "out").rglob("*")) == []
