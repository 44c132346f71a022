"""What `cuvee bazaar` writes, that it is a shop like any other, and that the seed decides every byte."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from bazaar_shop import make_shop
from pydantic import ValidationError

from components.common import columns as c
from components.common.errors import ConfigError
from components.common.files import read_json
from components.common.prepared import Prepared
from components.common.tables import CONTRACT, canonical
from components.ingest.bazaar.config import BazaarConfig
from components.ingest.bazaar.run import write_bazaar
from components.ingest.run import ingest
from components.prepare.run import prepare
from components.validate.run import validate

SMALL = BazaarConfig(users=80, items=120, seed=5)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_table_of_the_contract_is_there_and_keeps_it(small_bazaar: Path) -> None:
    for name, contract in CONTRACT.items():
        table = pd.read_parquet(small_bazaar / f"{name}.parquet")
        pd.testing.assert_frame_equal(canonical(name, table), table)
        assert set(contract.names) <= set(table), name
        assert len(table), name
    assert len(pd.read_parquet(small_bazaar / "users.parquet")) == 80
    assert len(pd.read_parquet(small_bazaar / "items.parquet")) == 120
    events = pd.read_parquet(small_bazaar / "events.parquet")
    assert set(events[c.EVENT]) == set(c.EVENT_KINDS)


def test_the_seed_decides_every_byte(small_bazaar: Path, tmp_path: Path) -> None:
    again, other = tmp_path / "again", tmp_path / "other"
    write_bazaar(SMALL, again)
    write_bazaar(SMALL.model_copy(update={"seed": 6}), other, with_media=False)
    assert files(again) == files(small_bazaar)
    for name in CONTRACT:
        assert (other / f"{name}.parquet").read_bytes() != (again / f"{name}.parquet").read_bytes(), name


def test_without_media_only_the_items_differ(small_bazaar: Path, tmp_path: Path) -> None:
    counts = write_bazaar(SMALL, tmp_path / "plain", with_media=False)
    plain, full = files(tmp_path / "plain"), files(small_bazaar)
    assert counts["media"] == 0
    assert {name for name in full if not name.startswith("media/") and plain.get(name) != full[name]} == {
        "items.parquet"
    }
    assert not {c.IMAGE, c.AUDIO, c.VIDEO} & set(pd.read_parquet(tmp_path / "plain" / "items.parquet"))


def test_it_passes_ingest_validate_and_prepare_as_any_folder(small_bazaar: Path, tmp_path: Path) -> None:
    report = ingest(str(small_bazaar), None, str(tmp_path / "store"), tmp_path / "tables")
    assert (report["source"], report["corrections"], set(report["tables"])) == ("folder", [], set(CONTRACT))
    assert validate(tmp_path / "tables", tmp_path / "checked", tmp_path / "docs")["passed"]
    counts = prepare(tmp_path / "checked", tmp_path / "out", "temporal", "fast", 0)
    assert min(counts["train"], counts["fit"], counts["test"]) > 0
    shop = Prepared.load(tmp_path / "out")
    assert all(Path(path).is_file() for path in shop.items[c.IMAGE] if path)
    assert (shop.items[c.IMAGE] != "").sum() > 100


def test_no_stage_reads_the_truth(small_bazaar: Path, tmp_path: Path) -> None:
    bare = Path(shutil.copytree(small_bazaar, tmp_path / "bare", ignore=shutil.ignore_patterns("truth", "media")))
    for folder, out in ((small_bazaar, "with"), (bare, "without")):
        ingest(str(folder), None, str(tmp_path / "store"), tmp_path / out)
    for name in CONTRACT:
        one, two = (pd.read_parquet(tmp_path / out / f"{name}.parquet") for out in ("with", "without"))
        kept = [column for column in one if column not in (c.IMAGE, c.AUDIO, c.VIDEO) or name != "items"]
        pd.testing.assert_frame_equal(one[kept], two[kept])


def test_a_folder_in_use_and_a_shop_too_small_are_refused(small_bazaar: Path) -> None:
    with pytest.raises(ConfigError, match="found something there already; expected a new or empty folder"):
        write_bazaar(SMALL, small_bazaar)
    with pytest.raises(ConfigError, match=r"'items'.*greater than or equal to 72 \(found 71\)"):
        BazaarConfig.parse({"users": 80, "items": 71}, "options of cuvee bazaar")
    with pytest.raises(ValidationError):
        BazaarConfig(seed=-1)


def test_a_shop_in_blocks_is_written_whole(tmp_path: Path) -> None:
    config = BazaarConfig(users=100, items=72, seed=1, users_at_once=30)
    counts = write_bazaar(config, tmp_path / "shop", with_media=False)
    made = make_shop(config)
    for name, table in made.tables.items():
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "shop" / f"{name}.parquet"), table)
        assert counts[name] == len(table)


def test_it_is_a_source_of_ingest_by_name(tmp_path: Path) -> None:
    report = ingest("bazaar", None, str(tmp_path / "store"), tmp_path / "tables")
    assert (report["source"], set(report["tables"]), report["tables"]["users"]) == ("bazaar", set(CONTRACT), 2000)
    (note,) = report["corrections"]
    assert "say nothing about any real shop" in note["why"]
    assert read_json(tmp_path / "tables" / "shop.json")["languages"] == ["en", "zh"]


@pytest.mark.parametrize("seed", range(4))
def test_the_smallest_shop_works_with_any_seed(tmp_path: Path, seed: int) -> None:
    counts = write_bazaar(BazaarConfig(users=20, items=72, seed=seed), tmp_path / "shop", with_media=False)
    assert min(count for name, count in counts.items() if name != "media") > 0
    ingest(str(tmp_path / "shop"), None, str(tmp_path / "store"), tmp_path / "tables")
