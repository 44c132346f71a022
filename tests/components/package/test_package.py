"""A release made by the real stage from real members."""

import json
from pathlib import Path

import numpy as np
import pytest
from evaluated_run import Run, evaluated_shop, make_run

from components.common.errors import ReleaseError
from components.common.prepared import Prepared
from components.package.run import package
from serving.engine import Engine
from serving.release import Facts, verify, write_manifest
from serving.rules.conditions import item_condition, items_where
from serving.rules.reading import save
from serving.rules.schema import STANDARD, Rules


def test_a_release_holds_what_serving_needs_and_nothing_else(run: Run) -> None:
    manifest = verify(run.root / "release")
    assert {path for path in manifest.files if "/" not in path} == {
        "catalogue.parquet", "fusion.json", "normaliser.json", "rules.json", "shop.json", "smoke.json",
    }  # fmt: skip
    assert {path.split("/")[0] for path in manifest.files if "/" in path} == {"members"}
    assert "members/item_knn/member.json" in manifest.files
    assert manifest.members == ("item_knn", "lexical", "popularity")
    assert manifest.tasks == ("bundle", "discovery", "next_basket", "search", "similar")


def test_the_clock_is_the_last_event_and_nothing_was_learned_from_the_test(run: Run) -> None:
    manifest, shop = verify(run.root / "release"), run.prepared
    assert manifest.as_of == shop.split.last_event
    assert manifest.trained_until is not None
    assert manifest.trained_until <= (shop.split.test.as_of or 0)
    assert (manifest.seed, manifest.protocol, manifest.effort) == (0, "temporal", "fast")


def test_the_same_inputs_give_the_same_digest(run: Run, tmp_path: Path) -> None:
    first = verify(run.root / "release").release
    run.pack(1.0)
    assert verify(run.root / "release").release == first
    assert verify(make_run(tmp_path / "again", evaluated_shop()).root / "release").release == first
    run.pack(0.5)
    assert verify(run.root / "release").release != first


def test_the_catalogue_is_byte_for_byte_the_prepared_one(run: Run) -> None:
    prepared, release = run.root / "prepared", run.root / "release"
    assert (release / "catalogue.parquet").read_bytes() == (prepared / "items.parquet").read_bytes()


def test_what_reviews_say_is_written_beside_the_items(run: Run) -> None:
    folder, n_items = run.root / "members" / "final" / "sentiment", len(run.prepared.items)
    folder.mkdir()
    opinions = np.where(np.arange(n_items) % 2, np.nan, 0.75).astype(np.float32)
    np.save(folder / "opinions.npy", opinions)
    np.save(folder / "reviews.npy", np.arange(n_items, dtype=np.int32))
    (folder / "member.json").write_text('{"kind": "sentiment"}')
    catalogue = Engine.load(run.pack(1.0)).catalogue
    np.testing.assert_array_equal(catalogue.items["sentiment"], opinions)
    assert catalogue.items["reviews"].tolist() == list(range(n_items))
    assert catalogue.items.drop(columns=["sentiment", "reviews"]).equals(run.prepared.items)
    praised = items_where(item_condition("sentiment > 0.7 and reviews >= 4"), catalogue)
    assert np.flatnonzero(praised).tolist() == list(range(4, n_items, 2))
    assert not items_where(item_condition("sentiment < 0.7"), catalogue).any()


def test_smoke_requests_cover_every_scenario_and_name_no_user(run: Run) -> None:
    smoke = json.loads((run.root / "release" / "smoke.json").read_text())
    scenarios = [instance["scenario"] for instance in smoke["instances"]]
    assert {name: scenarios.count(name) for name in set(scenarios)} == {
        "recommend": 5, "search": 5, "similar": 5, "bundle": 5,
    }  # fmt: skip
    assert not any("user_id" in instance for instance in smoke["instances"])
    assert len(smoke["answers"]) == len(smoke["instances"])
    assert all(0 < size <= instance["k"] for instance, size in zip(smoke["instances"], smoke["answers"], strict=True))


def test_an_engine_cannot_be_loaded_from_a_release_that_was_changed(run: Run) -> None:
    release = run.root / "release"
    assert Engine.load(release).digest == verify(release).release
    save(Rules(rules=()), release / "rules.json")
    with pytest.raises(ReleaseError, match=r"rules\.json is not the file that was packaged"):
        Engine.load(release)


def test_the_rules_of_a_release_are_those_its_engine_follows(run: Run) -> None:
    release, manifest = run.root / "release", verify(run.root / "release")
    assert Engine.load(release).rules == STANDARD
    save(Rules(rules=()), release / "rules.json")
    write_manifest(release, Facts(**{name: getattr(manifest, name) for name in Facts.model_fields}))
    assert Engine.load(release).rules == Rules(rules=())


def test_members_of_other_cuts_stay_out(run: Run) -> None:
    (run.root / "members" / "fit_1" / "popularity").mkdir(parents=True)
    (run.root / "members" / "fit_1" / "popularity" / "member.json").write_text("{}")
    run.pack(1.0)
    assert verify(run.root / "release").members == ("item_knn", "lexical", "popularity")


def again(run: Run, families: list[Path]) -> None:
    root = run.root
    package(root / "prepared", root / "embeddings", root / "fusion", families, root / "release")


def test_two_members_of_one_name_are_refused(run: Run) -> None:
    with pytest.raises(ReleaseError, match="two members are called 'item_knn'"):
        again(run, [run.root / "members", run.root / "members"])


def test_no_member_at_all_is_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="found no member trained as 'final'"):
        again(run, [tmp_path / "nowhere"])


def test_a_file_that_no_release_holds_is_refused(run: Run) -> None:
    (run.root / "members" / "final" / "item_knn" / "model.pkl").write_bytes(b"x")
    with pytest.raises(ReleaseError, match=r"members/item_knn/model\.pkl has a name or a kind"):
        run.pack(1.0)


def test_a_link_is_refused(run: Run) -> None:
    folder = run.root / "members" / "final" / "popularity"
    (folder / "more.npy").symlink_to(folder / "scores.npy")
    with pytest.raises(ReleaseError, match=r"more\.npy is a link"):
        run.pack(1.0)


def test_every_byte_of_a_real_release_counts(run: Run) -> None:
    """200 single-byte flips, drawn over every file, are all refused."""
    release, draw = run.root / "release", np.random.default_rng(1)
    files = sorted(path for path in release.rglob("*") if path.is_file())
    for number in range(200):
        path = files[number % len(files)]
        whole = path.read_bytes()
        at = int(draw.integers(len(whole)))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << int(draw.integers(8)))]) + whole[at + 1 :])
        with pytest.raises(ReleaseError):
            verify(release)
        path.write_bytes(whole)
    verify(release)


def test_a_shop_without_events_has_no_clock(run: Run) -> None:
    shop = run.prepared
    cut = shop.split.test.model_copy(update={"as_of": None, "until": None})
    split = shop.split.model_copy(update={"cuts": (cut,), "repeats": False})
    Prepared(shop.events.iloc[:0], shop.items, shop.users.iloc[:0], split, shop.shop).save(run.root / "prepared")
    run.pack(1.0)
    manifest = verify(run.root / "release")
    assert (manifest.as_of, manifest.trained_until) == (None, None)
