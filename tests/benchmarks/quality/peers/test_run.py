"""The runner with real packages on the planted shop: each user's one missing item of the own group is the answer."""

from pathlib import Path

import numpy as np
import pytest
from member_contract import USERS, planted_shop

from benchmarks.quality.case import write_case
from benchmarks.quality.peers.__main__ import Budget, line, python_for, run_peers
from benchmarks.quality.peers.known import PEERS
from components.common.errors import ConfigError
from components.common.files import read_json
from components.evaluate.metrics import relevance_metrics
from components.evaluate.relevance import relevant
from serving.arrays import Ints

BUDGET = Budget(trials=2, seconds=20, limit=120)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("peers")
    planted_shop().save(folder / "prepared")
    write_case(folder / "prepared", "fit_1", "discovery", folder / "case")
    return folder / "case"


def listed(out: Path, peer: str) -> Ints:
    with np.load(out / f"{peer}.npz", allow_pickle=False) as archive:
        items: Ints = archive["items"]
    return items


@pytest.mark.parametrize("peer", ["implicit_bm25", "implicit_als"])
def test_a_real_peer_finds_the_planted_item(case: Path, tmp_path: Path, peer: str) -> None:
    done = run_peers(case, tmp_path, (peer,), BUDGET)[peer]
    shop = planted_shop()
    answers = relevant(shop, shop.split.fits[0], "discovery")
    items = listed(tmp_path, peer)
    assert items.shape == (USERS, 20)
    assert items.dtype == np.int32
    assert relevance_metrics(answers.holds(items), answers.counts)["ndcg@10"].mean() == 1.0
    assert done["package"] == "implicit"
    assert done["version"].startswith("0.7")
    assert [set(trial) for trial in done["trials"]] == [{"params", "ndcg@10", "seconds"}] * 2
    assert min(done[name] for name in ("peak_mb", "parameters")) > 0
    assert line(done).startswith(peer)


def test_finished_peers_are_skipped_and_their_numbers_can_be_used_again(case: Path, tmp_path: Path) -> None:
    first = run_peers(case, tmp_path / "a", ("popularity",), BUDGET)["popularity"]
    written = (tmp_path / "a" / "popularity.npz").stat().st_mtime_ns
    assert run_peers(case, tmp_path / "a", ("popularity",), BUDGET)["popularity"] == first
    assert (tmp_path / "a" / "popularity.npz").stat().st_mtime_ns == written
    again = run_peers(case, tmp_path / "b", ("popularity",), Budget(params=tmp_path / "a"))["popularity"]
    assert again["params"] == first["params"]
    assert again["trials"] == []
    assert listed(tmp_path / "b", "popularity").tolist() == listed(tmp_path / "a", "popularity").tolist()


def test_one_failure_is_told_and_stops_nobody(case: Path, tmp_path: Path) -> None:
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "popularity.json").write_text('{"params": {"half_life": "long", "counts": "once"}}')
    done = run_peers(case, tmp_path, ("popularity", "ease"), Budget(2, 20, 120, tmp_path / "params"))
    assert "TypeError" in done["popularity"]["failed"]
    assert "failed" in line(done["popularity"])
    assert read_json(tmp_path / "popularity.json") == done["popularity"]
    assert not (tmp_path / "popularity.npz").exists()
    assert listed(tmp_path, "ease").shape == (USERS, 20)


def test_a_peer_that_takes_too_long_is_ended(case: Path, tmp_path: Path) -> None:
    done = run_peers(case, tmp_path, ("popularity",), Budget(limit=0.01))["popularity"]
    assert "took longer than" in done["failed"]


def test_an_unknown_peer_is_named(case: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="implicit_asl"):
        run_peers(case, tmp_path, ("implicit_asl",))


def test_a_peer_is_not_asked_what_it_cannot_do(case: Path, tmp_path: Path) -> None:
    assert run_peers(case, tmp_path, ("personal_frequency",), BUDGET) == {}


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name, peer in PEERS.items() if peer.package not in ("numpy", "implicit")])
def test_every_other_peer_finds_the_planted_item_or_says_what_to_install(case: Path, tmp_path: Path, name: str) -> None:
    done = run_peers(case, tmp_path, (name,), Budget(1, 60, 300))[name]
    if python_for(PEERS[name]) is None:
        assert "make install-bench" in done["failed"]
        return
    assert "failed" not in done, done
    shop = planted_shop()
    answers = relevant(shop, shop.split.fits[0], "discovery")
    hit = relevance_metrics(answers.holds(listed(tmp_path, name)), answers.counts)["recall@10"].mean()
    assert hit > 0.7  # of 12 items that may be listed, ten are
