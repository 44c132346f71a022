"""What users took after searching, and what the weights of search learn of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fuse_parts import write_members, write_states

from components.common.prepared import Prepared
from components.fuse.config import EFFORTS
from components.fuse.lists import FitSet
from components.fuse.run import Inputs, _engine, _prior, _search, fit_engines
from components.fuse.search import speaking
from components.fuse.searches import fit_searches, search_set
from components.ingest.bazaar.config import BazaarConfig
from components.ingest.bazaar.run import write_bazaar
from components.ingest.run import ingest
from components.prepare.run import prepare
from serving.blend import TaskFusion


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared bazaar without judgements, with states and members."""
    out = tmp_path_factory.mktemp("searches")
    write_bazaar(BazaarConfig(users=900, items=150, seed=0), out / "shop", with_media=False)
    (out / "shop" / "judgements.parquet").unlink()
    ingest(str(out / "shop"), None, str(out / "store"), out / "tables")
    prepare(out / "tables", out / "prepared", "temporal", "fast", 0)
    shop = Prepared.load(out / "prepared")
    write_members(shop, out)
    for cut in shop.split.cuts:
        write_states(shop, cut, out / "features" / "states")
    return out


def learned(root: Path, searches: pd.DataFrame | None = None) -> tuple[TaskFusion, dict[str, Any]]:
    """The blend of search and its report; *searches* instead of the shop's own."""
    inputs = Inputs(root / "prepared", root / "none", root / "features", (root / "cf", root / "text"))
    shop = Prepared.load(root / "prepared")
    serving, engines = _engine(inputs, shop, shop.split.test), fit_engines(inputs, shop)
    if searches is None:
        return _search(inputs, shop, serving, engines, root / "fusion", EFFORTS["fast"], 0)
    found = fit_searches(engines, serving, shop, searches, root / "features" / "states", EFFORTS["fast"], 0)
    return found or _prior(serving, "search")


def test_without_judgements_the_weights_of_search_follow_what_was_taken(root: Path) -> None:
    fusion, report = learned(root)
    assert report["learned_from"] == "what users took after searching"
    assert report["methods"][report["chosen"]]["ndcg@10"] > report["methods"]["prior"]["ndcg@10"] + 0.02
    blend = fusion.methods[fusion.chosen]
    assert blend.weighs("popularity")  # users of the bazaar notice what is popular
    assert blend.weighs("lexical")
    assert learned(root)[0] == fusion


def test_too_few_searches_leave_the_prior(root: Path) -> None:
    few = pd.read_parquet(root / "prepared" / "searches.parquet").tail(50)
    fusion, _ = learned(root, few)
    assert fusion.chosen == "prior"
    assert learned(root, few.head(0))[0] == fusion


def test_the_past_of_a_searcher_is_that_of_before_the_window(root: Path) -> None:
    inputs = Inputs(root / "prepared", root / "none", root / "features", (root / "cf", root / "text"))
    shop = Prepared.load(root / "prepared")
    cut = shop.split.fits[-1]
    engine = fit_engines(inputs, shop)[cut.name]
    searches = pd.read_parquet(root / "prepared" / "searches.parquet")
    fit = search_set(engine, shop, searches, cut, root / "features" / "states" / f"{cut.name}.parquet", 40, seed=1)
    assert fit is not None
    assert len(fit) == 40
    assert (fit.labels.max(axis=1) > 0).mean() > 0.9
    assert ((fit.labels > 0).sum(axis=1) <= fit.n_relevant).all()
    assert fit.contexts is not None
    assert (fit.contexts.states.as_of == cut.as_of).all()
    assert fit.contexts.states.last_at.max() < (cut.as_of or 0)


def test_a_member_that_says_nothing_of_judged_items_gets_no_weight_by_guessing() -> None:
    scores = np.full((2, 3, 3), np.nan, dtype=np.float32)
    scores[0, 1, 0], scores[1, 2, 2] = 1.0, 0.0
    ones = np.ones((2, 3))
    fit = FitSet(
        ("lexical", "als", "text"), scores, ones.astype(bool), ones.astype(np.float32), np.full(2, 3), np.arange(2)
    )
    assert speaking(fit) == ("lexical", "text")
