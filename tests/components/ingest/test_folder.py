"""A shop's own folder: what is read, what is left out and said, and what stops the run."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from components.common.errors import ConfigError, DataError
from components.common.files import read_json
from components.common.identity import id_key, pseudonym
from components.ingest.run import ingest


def test_every_table_arrives_and_user_ids_are_hidden_alike(small_shop: Path, tmp_path: Path) -> None:
    report = ingest(str(small_shop), None, str(tmp_path / "store"), tmp_path / "out")
    key = id_key(tmp_path / "store")
    for name, rows in report["tables"].items():
        raw, hidden = (pd.read_parquet(folder / f"{name}.parquet") for folder in (small_shop, tmp_path / "out"))
        assert len(hidden) == rows == len(raw)
        if "user_id" in raw:
            assert hidden["user_id"].tolist() == [pseudonym(user_id, key) for user_id in raw["user_id"]]
    assert read_json(tmp_path / "out" / "shop.json")["min_item_users"] == 2
    assert read_json(tmp_path / "out" / "ingest_report.json") == report


def test_items_alone_are_enough_and_need_no_key(small_shop: Path, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    shutil.copy(small_shop / "items.parquet", tmp_path / "shop")
    report = ingest(str(tmp_path / "shop"), None, "", tmp_path / "out")
    assert report["tables"] == {"items": 400}


def test_csv_gives_what_parquet_gives(small_shop: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    for path in small_shop.glob("*.parquet"):
        pd.read_parquet(path).to_csv(folder / f"{path.stem}.csv", index=False)
    for source, out in ((small_shop, "one"), (folder, "two")):
        ingest(str(source), None, str(tmp_path / "store"), tmp_path / out)
    for path in sorted((tmp_path / "one").glob("*.parquet")):
        pd.testing.assert_frame_equal(
            pd.read_parquet(path), pd.read_parquet(tmp_path / "two" / path.name), rtol=1e-12, obj=path.name
        )


def test_unknown_columns_are_counted_and_unknown_files_ignored(shop_copy: Path, tmp_path: Path) -> None:
    path = shop_copy / "items.parquet"
    pd.read_parquet(path).assign(colour="red", shelf=3).to_parquet(path)
    (shop_copy / "notes.txt").write_text("x", encoding="utf-8")
    report = ingest(str(shop_copy), None, str(tmp_path / "store"), tmp_path / "out")
    (done,) = report["corrections"]
    assert (done["correction"], done["table"], done["changed"]) == ("unknown_column", "items", 2)
    assert "colour, shelf" in done["why"]


def test_another_shop_yaml_may_be_named(small_shop: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("currency: EUR\n", encoding="utf-8")
    ingest(str(small_shop), str(other), str(tmp_path / "store"), tmp_path / "out")
    assert read_json(tmp_path / "out" / "shop.json")["currency"] == "EUR"


def test_a_folder_that_does_not_exist_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"/nowhere' does not exist.*complete-journey, bazaar or a folder.*Check the path"
    ):
        ingest(str(tmp_path / "nowhere"), None, "", tmp_path / "out")


def test_a_folder_without_items_says_what_it_found(tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_text("id\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"table 'items'.*products.csv.*Put items.parquet or items.csv there"):
        ingest(str(tmp_path), None, "", tmp_path / "out")


def test_a_named_shop_yaml_must_exist(small_shop: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.yaml"):
        ingest(str(small_shop), str(tmp_path / "missing.yaml"), "", tmp_path / "out")


def test_paths_of_media_are_relative_to_the_tables(shop_copy: Path, tmp_path: Path) -> None:
    path = shop_copy / "items.parquet"
    given = ["photos/1.jpg", "https://shop.example/2.jpg", "/media/3.jpg", None]
    pd.read_parquet(path).head(4).assign(image=pd.Series(given, dtype=object)).to_parquet(path)
    for other in shop_copy.glob("[!i]*.parquet"):
        other.unlink()
    ingest(str(shop_copy), None, "", tmp_path / "out")
    found = pd.read_parquet(tmp_path / "out" / "items.parquet")["image"].tolist()
    assert found == [str(shop_copy / "photos/1.jpg"), *given[1:]]


@pytest.mark.parametrize("column", ["image", "audio", "video"])
def test_a_relative_path_that_leads_out_of_the_folder_is_left_out_and_counted(
    column: str, shop_copy: Path, tmp_path: Path
) -> None:
    path = shop_copy / "items.parquet"
    (tmp_path / "secret.jpg").write_bytes(b"not for the shop")
    (shop_copy / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (shop_copy / "round").symlink_to(shop_copy / "round")
    given = ["../secret.jpg", "link.jpg", "round/1.jpg", "zero\0byte", "photos/../1.jpg", None]
    items = pd.read_parquet(path).head(6)
    items.assign(**{column: pd.Series(given, dtype=object)}).to_parquet(path)
    for other in shop_copy.glob("[!i]*.parquet"):
        other.unlink()
    report = ingest(str(shop_copy), None, "", tmp_path / "out")
    found = pd.read_parquet(tmp_path / "out" / "items.parquet")[column].tolist()
    assert found == [None, None, None, None, str(shop_copy / "photos/../1.jpg"), None]
    noted = [done for done in report["corrections"] if done["correction"] == "media_outside"]
    assert [done["changed"] for done in noted] == [4]
