"""The conversions of docs/bring-your-own-data.md: by hand on tiny files, then on the real ones where they are."""

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from components.ingest.run import ingest

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


def convert(script: str, source: Path, out: Path) -> dict[str, int]:
    counts: dict[str, int] = runpy.run_path(str(EXAMPLES / script))["convert"](source, out)
    return counts


def by_command(script: str, source: Path, out: Path) -> Any:
    command = [sys.executable, str(EXAMPLES / script), str(source), str(out)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_sequences_become_reviews_a_day_apart(tmp_path: Path) -> None:
    pd.DataFrame({"user_id": [1, 2], "items": [[5, 6], [6]]}).to_parquet(tmp_path / "x.sequences.parquet")
    pd.DataFrame({"item_id": [5, 6], "attributes": [[12, 7], []]}).to_parquet(tmp_path / "x.item_attributes.parquet")
    counts = by_command("convert_amazon_sequences.py", tmp_path, tmp_path / "shop")
    assert counts == {"events": 3, "items": 2, "events_of_unknown_items_left_out": 0}
    ingest(str(tmp_path / "shop"), None, str(tmp_path / "store"), tmp_path / "tables")
    events = pd.read_parquet(tmp_path / "tables" / "events.parquet")
    assert events["item_id"].tolist() == ["5", "6", "6"]
    assert events["timestamp"].dt.strftime("%Y-%m-%d").tolist() == ["2014-01-01", "2014-01-02", "2014-01-01"]
    assert pd.read_parquet(tmp_path / "tables" / "items.parquet")["title"].tolist() == ["a7 a12", "unknown"]


def test_chorus_items_take_another_name_rather_than_none(tmp_path: Path) -> None:
    pd.DataFrame(
        {
            "id": ["1", "2", "3"],
            "name": ["N1", "N2", ""],
            "title": ["Laptop", " ", ""],
            "short_description": ["Fast", None, None],
            "supplier": ["HP"] * 3,
            "price": [10995, 500, 100],
            "date_released": ["2009-12-10T00:00:00Z", "", ""],
            "img_500x500": ["http://x/1.jpg", "", ""],
            "attributes": ["{}"] * 3,
        }
    ).to_parquet(tmp_path / "products.parquet")
    ratings = pd.DataFrame({"query": ["q", "q", "q"], "docid": [1, 1, 3], "rating": [1, 2, 3]})
    ratings.to_csv(tmp_path / "judgements.csv.gz", index=False)
    assert by_command("convert_chorus.py", tmp_path, tmp_path / "shop") == {
        "items": 2,
        "judgements": 1,
        "untitled_items_named_otherwise": 1,
        "untitled_items_left_out": 1,
        "unpriced_items_left_out": 0,
        "judgements_of_unknown_items_left_out": 1,
        "repeated_judgements": 1,
    }
    items = pd.read_parquet(tmp_path / "shop" / "items.parquet")
    assert items[["title", "price"]].to_numpy().tolist() == [["Laptop", 109.95], ["N2", 5.0]]
    assert pd.read_parquet(tmp_path / "shop" / "judgements.parquet")["grade"].tolist() == [1.5]


@pytest.mark.parametrize(
    ("script", "folder", "tables"),
    [
        ("convert_amazon_sequences.py", "amazon_sports_seq", {"events": 296_337, "items": 18_357}),
        ("convert_chorus.py", "chorus_icecat_search", {"items": 19_406, "judgements": 1_801}),
    ],
)
def test_the_real_files_convert(
    script: str, folder: str, tables: dict[str, int], shared_data: Path, tmp_path: Path
) -> None:
    convert(script, shared_data / folder, tmp_path / "shop")
    report = ingest(str(tmp_path / "shop"), None, str(tmp_path / "store"), tmp_path / "tables")
    assert report["tables"] == tables
    assert report["corrections"] == []
