"""A smaller release is taken only where the fit windows say that the blend loses next to nothing."""

from pathlib import Path

import numpy as np
import pytest
from crowded_run import FIT, TIMES, packed
from evaluated_run import Run, fusion
from member_contract import USERS

from components.common.config import Smaller
from components.common.errors import ConfigError
from components.common.prepared import Prepared
from components.package.run import package
from components.package.shrink import SMALLER_FILE
from components.package.trial import FUSED, Loss, Trial, engine_of, tried, worth
from serving.arrays import stored
from serving.engine import Engine
from serving.release import verify


@pytest.fixture(scope="session")
def made(crowded: Run) -> Run:
    return crowded


def whisper(folder: Path) -> None:
    """What an item says of others it says so softly, and of itself so loudly, that pruning leaves nothing else."""
    indptr, indices, data = (stored(folder / f"{name}.npy").copy() for name in ("indptr", "indices", "data"))
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    own = np.flatnonzero(np.diff(rows, prepend=-1))  # the first entry of a row becomes what it says of itself
    indices[own], data[own] = rows[own], 1_000.0
    np.save(folder / "indices.npy", indices)
    np.save(folder / "data.npy", data)


def test_planted_answers_are_found_by_the_blend_before_and_after(run: Run) -> None:
    shop = run.prepared
    found = worth(shop, engine_of(shop, [run.root / "members" / "fit_1"], fusion(1.0)), FIT)
    assert set(found) == {"discovery", "next_basket"}
    assert len(found["discovery"][FUSED]) == TIMES * USERS
    np.testing.assert_array_equal(found["discovery"][FUSED], 1.0)  # one new item, first for everybody
    trial = tried(shop, [run.root / "members"], fusion(1.0), "float16", [FIT])
    loss = trial.losses["discovery"][FUSED]
    assert (loss.lists, loss.before, loss.after, loss.lost, loss.error) == (TIMES * USERS, 1.0, 1.0, 0.0, 0.0)
    assert trial.why_not == ""


@pytest.mark.parametrize("how", ["float16", "int8"])
def test_what_loses_nothing_is_taken_and_answers(run: Run, how: Smaller) -> None:
    found = packed(run, how)
    assert (found.asked, found.taken, found.why_not, found.members) == (how, True, "", ("item_knn",))
    assert found.bytes_after < found.bytes_before
    engine = Engine.load(run.root / "release")
    assert np.load(run.root / "release" / "members" / "item_knn" / "data.npy").dtype == np.float16
    assert set(engine.members) == {"item_knn", "lexical", "popularity"}


def test_what_loses_much_is_refused_and_nothing_is_made_smaller(run: Run) -> None:
    whisper(run.root / "members" / "fit_1" / "item_knn")
    found = packed(run, "pruned")
    assert not found.taken
    assert "discovery loses" in found.why_not
    assert found.losses["discovery"][FUSED].lost > 0.3
    assert (found.members, found.bytes_after) == ((), found.bytes_before)
    release, whole = run.root / "release", verify(run.root / "release").files
    run.pack(1.0)
    plain = verify(release).files
    assert {path: entry for path, entry in whole.items() if path != SMALLER_FILE} == plain


def test_a_shop_without_fit_lists_keeps_everything(run: Run) -> None:
    shop = run.prepared
    split = shop.split.model_copy(update={"cuts": (shop.split.test,)})
    Prepared(shop.events, shop.items, shop.users, split, shop.shop).save(run.root / "prepared")
    found = packed(run, "int8")
    assert not found.taken
    assert found.why_not.startswith("too few lists to judge by: none")


def test_without_the_option_a_release_is_what_it_was(run: Run) -> None:
    run.pack(1.0)
    release = verify(run.root / "release")
    assert SMALLER_FILE not in release.files
    root = run.root
    package(root / "prepared", root / "embeddings", root / "fusion", [root / "members"], root / "release", "none")
    assert verify(root / "release").release == release.release


def test_the_loss_of_four_lists_by_hand() -> None:
    loss = Loss.of(np.array([1.0, 0.5, 0.5, np.nan]), np.array([0.5, 0.5, 0.8, np.nan]))
    # means 2/3 and .6: a tenth is lost; differences .5, 0, -.3 deviate by sqrt(.34/3 - (.2/3)^2)
    assert (loss.lists, round(loss.before, 6), round(loss.after, 6)) == (3, 0.666667, 0.6)
    assert loss.lost == pytest.approx(0.1)
    assert loss.error == pytest.approx((0.34 / 3 - (0.2 / 3) ** 2) ** 0.5 / (2 / 3) / 3**0.5)


def test_a_way_that_is_none_is_told(run: Run) -> None:
    root = run.root
    with pytest.raises(ConfigError, match="found 'int4', expected one of none, float16, int8"):
        package(root / "prepared", root / "embeddings", root / "fusion", [root / "members"], root / "release", "int4")


@pytest.mark.parametrize(
    ("lost", "lists", "why"),
    [
        (0.001, 100, ""),
        (-0.2, 100, ""),
        (0.0011, 100, "next_basket loses 0.11% of NDCG@10, 0.1% allowed"),
        (0.0, 99, "too few lists to judge by: discovery 100, next_basket 99; 100 of each task expected"),
    ],
)
def test_what_may_be_lost(lost: float, lists: int, why: str) -> None:
    def loss(share: float, n: int) -> dict[str, Loss]:
        return {FUSED: Loss(lists=n, before=0.1, after=0.1, lost=share, error=0.0)}

    assert Trial({"discovery": loss(0.0, 100), "next_basket": loss(lost, lists)}).why_not == why
