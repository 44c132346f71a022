from pathlib import Path

import pandas as pd
from bazaar_shop import make_shop

from components.common import columns as c
from components.common.moments import microseconds
from components.common.prepared import Prepared
from components.ingest.bazaar.config import BazaarConfig
from components.ingest.run import ingest
from components.prepare.run import prepare
from components.train_text.pairs_of_texts import pairs_of_texts
from serving.text import has_chinese


def test_a_query_stands_beside_what_was_taken_and_a_title_beside_its_description(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    tables = make_shop(BazaarConfig(users=200, items=100, seed=0)).tables
    for name in ("items", "events"):
        tables[name].to_parquet(folder / f"{name}.parquet", index=False)
    ingest(str(folder), None, str(tmp_path / "store"), tmp_path / "tables")
    prepare(tmp_path / "tables", tmp_path / "prepared", "temporal", "fast", 0)
    pairs = pairs_of_texts(tmp_path / "prepared")
    assert len(pairs) > 100
    assert not any(has_chinese(text) for pair in pairs for text in pair)
    shop = Prepared.load(tmp_path / "prepared")
    searches = pd.read_parquet(tmp_path / "prepared" / "searches.parquet")
    queries, titles = set(searches[c.QUERY]), set(shop.items[c.TITLE])
    asked = [pair for pair in pairs if pair[0] in queries]
    assert asked
    assert all(title in titles for _, title in asked)
    named = [set(query.split()) & set(title.lower().split()) for query, title in asked]
    assert sum(map(bool, named)) > 0.6 * len(asked)  # what is taken is mostly called what was asked for
    first = shop.split.fits[0].as_of or 0
    late = set(searches[c.QUERY][microseconds(searches[c.TIMESTAMP]) >= first])
    early = set(searches[c.QUERY][microseconds(searches[c.TIMESTAMP]) < first])
    assert not {query for query, _ in asked} & (late - early)
