"""The stage on a real slice of a shop: what it writes, what it reads, what it does with nothing to learn from."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fuse_parts import write_members, write_states

from components.common import columns as c
from components.common.files import read_json
from components.common.prepared import Prepared
from components.fuse.fit import fit_task
from components.fuse.lists import FitSet
from components.fuse.newcomers import viewed_set
from components.fuse.options import Options
from components.fuse.pools import answers, fit_set
from components.fuse.priors import PRIORS, prior_of
from components.fuse.run import Inputs, _engine, _with_newest_members, fuse
from components.fuse.search import fit_search, judged_set
from components.ingest.run import ingest
from components.prepare.run import prepare
from serving.blend import Blend, Fusion
from serving.calibration import VALUE
from serving.engine import Engine
from serving.instances import parse
from serving.queries import DISCOVERY, NEXT_BASKET, SEARCH

MEMBERS = {"item_knn", "popularity", "tfidf"}


@pytest.fixture(scope="module")
def root(small_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared shop with states and members, and the stage's output in fusion/."""
    out = tmp_path_factory.mktemp("fuse")
    ingest(str(small_shop), None, str(out / "store"), out / "tables")
    prepare(out / "tables", out / "prepared", "temporal", "fast", 0)
    shop = Prepared.load(out / "prepared")
    write_members(shop, out)
    for cut in shop.split.cuts:
        write_states(shop, cut, out / "features" / "states")
    run(out, out / "fusion")
    return out


def run(root: Path, out: Path) -> None:
    fuse(root / "prepared", root / "embeddings", root / "features", [root / "cf", root / "text"], out, "fast", 0)


def engine_of(root: Path) -> Engine:
    shop = Prepared.load(root / "prepared")
    inputs = Inputs(root / "prepared", root / "embeddings", root / "features", (root / "cf", root / "text"))
    return _engine(inputs, shop, shop.split.test)


def judgements_of(root: Path) -> pd.DataFrame:
    """Last levels of categories as queries: their own items are relevant, neighbours in the first level are not."""
    items = pd.read_parquet(root / "prepared" / "items.parquet")
    levels = items[c.CATEGORY].str.split(c.CATEGORY_SEPARATOR)
    first, last = levels.str[0], levels.str[-1]
    rows = []
    for name in last.value_counts().index[:30]:
        own = items[c.ITEM_ID][last == name].head(6)
        others = items[c.ITEM_ID][(first == first[last == name].iloc[0]) & (last != name)].head(8)
        rows += [(name.lower(), item, 3) for item in own] + [(name.lower(), item, 0) for item in others]
    return pd.DataFrame(rows, columns=[c.QUERY, c.ITEM_ID, c.GRADE])


def test_every_task_gets_a_blend_that_the_engine_serves(root: Path) -> None:
    fusion = Fusion.load(root / "fusion" / "fusion.json")
    assert set(fusion.tasks) == {"discovery", "next_basket", "search", "similar"} | (
        {"bundle", "campaign"} & set(fusion.tasks)
    )
    assert set(fusion.blend("discovery").members) == MEMBERS
    assert fusion.tasks["search"].chosen == "prior"
    engine = engine_of(root)
    engine.fusion = fusion
    given = engine.answer([parse({"scenario": "recommend", "user_id": "nobody", "k": 5, "explain": True})], None, 0)[0]
    assert len(given["items"]) == 5
    assert given["method"] == fusion.tasks["discovery"].chosen
    for item in given["items"]:
        assert sum(item["why"].values()) == item["score"]


@pytest.mark.parametrize("task", [DISCOVERY, NEXT_BASKET])
def test_users_without_history_have_a_blend_of_their_own(root: Path, task: str) -> None:
    fusion = Fusion.load(root / "fusion" / "fusion.json").tasks[task]
    strangers = fusion.methods[fusion.chosen].strangers
    assert strangers is not None
    assert strangers.kind.startswith("strangers:")
    report = read_json(root / "fusion" / "fit_report.json")["tasks"][task]["strangers"]
    assert "single:popularity" in report["methods"]
    assert 0 < report["lists"] < 500


@pytest.mark.parametrize("task", [DISCOVERY, NEXT_BASKET])
def test_users_with_a_short_history_are_asked_about_and_served_where_it_helps(root: Path, task: str) -> None:
    fusion = Fusion.load(root / "fusion" / "fusion.json").tasks[task]
    report = read_json(root / "fusion" / "fit_report.json")["tasks"][task]
    for name in ("newcomers", "viewed"):
        assert 0 < report[name]["lists"] < 500
        assert report[name]["served"] > 0
    one, several = range(1, report["viewed"]["few"] + 1), range(2, report["newcomers"]["few"] + 1)
    assert sorted(fusion.methods[fusion.chosen].newcomers) == [*one, *several]


def test_the_report_compares_the_methods_on_users_they_did_not_see(root: Path) -> None:
    report = read_json(root / "fusion" / "fit_report.json")
    for task in ("discovery", "next_basket"):
        fitted = report["tasks"][task]
        best = max(row["ndcg@10"] for row in fitted["methods"].values())
        assert fitted["lists"] > 50
        assert {"softmax", "least_squares", "voting"} <= set(fitted["methods"])
        assert fitted["methods"][fitted["chosen"]]["ndcg@10"] > 0.8 * best
    assert report["tasks"]["next_basket"]["methods"]["softmax_free"]["ndcg@10"] > 0.05
    assert report["tasks"]["next_basket"]["everyone"] == len(Prepared.load(root / "prepared").users)


def test_a_second_run_writes_the_same_weights(root: Path, tmp_path: Path) -> None:
    run(root, tmp_path)
    assert (tmp_path / "fusion.json").read_bytes() == (root / "fusion" / "fusion.json").read_bytes()


def test_discovery_asks_only_for_what_the_user_has_not_met(root: Path) -> None:
    shop, engine = Prepared.load(root / "prepared"), engine_of(root)
    cut = shop.split.test
    every = answers(shop, cut, root / "features" / "states" / f"{cut.name}.parquet", engine)
    new = every.of_task("discovery")
    met = shop.history(cut).groupby(c.USER)[c.ITEM].agg(set)
    taken = shop.target(cut).groupby(c.USER)[c.ITEM].agg(set)
    expected = {int(user): taken[user] - met.get(user, set()) for user in taken.index}
    found = {int(user): set(new.taken[row].indices.tolist()) for row, user in enumerate(new.users)}
    assert found == {user: items for user, items in expected.items() if items}
    assert {int(u) for u in every.of_task("next_basket").users} == set(taken.index)
    fit = fit_set(engine, new.sample(20, 0), "discovery")
    assert len(fit) == 20
    assert (fit.labels.sum(axis=1) <= fit.n_relevant).all()
    assert not fit.labels[~fit.valid].any()


def test_of_a_newcomer_the_first_product_taken_is_known_and_wanted_no_more(root: Path) -> None:
    shop, engine = Prepared.load(root / "prepared"), engine_of(root)
    cut = shop.split.test
    every = answers(shop, cut, root / "features" / "states" / f"{cut.name}.parquet", engine)
    fit = viewed_set(engine, every, NEXT_BASKET, 40, 0)
    assert fit is not None
    assert fit.contexts is not None
    target, states = shop.target(cut), fit.contexts.states
    assert states.sizes.tolist() == [1] * len(fit)
    for row, user in enumerate(fit.groups):
        own = target[target[c.USER] == user]
        viewed = int(states.items[row])
        assert viewed in set(own[c.ITEM][own[c.TIMESTAMP] == own[c.TIMESTAMP].min()])
        assert fit.n_relevant[row] == own[c.ITEM].nunique() - 1
        assert not fit.labels[row][fit.contexts.candidates[row] == viewed].any()
    assert 20 < len(fit) <= 40


def test_judgements_teach_and_every_query_is_judged_by_weights_that_did_not_see_it(root: Path) -> None:
    """Judges who want what the words do not say: only learned weights can follow them."""
    engine, judgements = engine_of(root), judgements_of(root)
    contrary = judgements.assign(grade=3 - judgements[c.GRADE])
    fusion, unseen, report = fit_search(engine, contrary, seed=0)
    assert set(unseen) == set(judgements[c.QUERY])
    assert report["methods"][fusion.chosen]["ndcg@10"] > report["methods"]["prior"]["ndcg@10"] + 0.05
    assert report["out_of_fold_ndcg@10"] > report["methods"]["prior"]["ndcg@10"]
    query = judgements[c.QUERY].iloc[0]
    spoilt = contrary.assign(grade=contrary[c.GRADE].where(contrary[c.QUERY] != query, judgements[c.GRADE]))
    _, again, _ = fit_search(engine, spoilt, seed=0)
    assert again[query] == unseen[query]
    assert any(again[other] != unseen[other] for other in unseen)


def test_judged_items_the_catalogue_does_not_hold_are_left_out(root: Path) -> None:
    judgements = pd.DataFrame([("milk", "no-such-item", 3), *judgements_of(root).head(3).itertuples(index=False)])
    judgements.columns = pd.Index([c.QUERY, c.ITEM_ID, c.GRADE])
    queries, fit = judged_set(engine_of(root), judgements)
    assert "milk" not in queries
    assert fit.valid.sum() == 3


def test_too_few_judgements_leave_the_prior(root: Path) -> None:
    few = judgements_of(root)
    few = few[few[c.QUERY].isin(few[c.QUERY].unique()[:5])]
    fusion, unseen, _ = fit_search(engine_of(root), few, seed=0)
    assert fusion.chosen == "prior"
    assert {blend.kind for blend in unseen.values()} == {"prior"}


def test_a_shop_without_events_gets_priors(root: Path, small_shop: Path, tmp_path: Path) -> None:
    folder = tmp_path / "catalogue-only"
    folder.mkdir()
    shutil.copyfile(small_shop / "items.parquet", folder / "items.parquet")
    ingest(str(folder), None, str(tmp_path / "store"), tmp_path / "tables")
    prepare(tmp_path / "tables", tmp_path / "prepared", "temporal", "fast", 0)
    write_members(Prepared.load(tmp_path / "prepared"), tmp_path)
    judgements_of(tmp_path).to_parquet(tmp_path / "prepared" / "judgements.parquet", index=False)
    run(tmp_path, tmp_path / "fusion")
    fusion = Fusion.load(tmp_path / "fusion" / "fusion.json")
    assert fusion.tasks["discovery"].chosen == "prior"
    assert "next_basket" not in fusion.tasks
    unseen = read_json(tmp_path / "fusion" / "search_oof.json")
    assert len(unseen) == 30
    assert all(Blend(**values).members == fusion.blend("search").members for values in unseen.values())


@pytest.mark.parametrize("scenario", PRIORS)
def test_priors_weigh_what_is_there_and_sum_to_one(scenario: str) -> None:
    known = prior_of(scenario, [*PRIORS[scenario], "brand-new"])
    assert known.table.sum() == pytest.approx(1.0)
    assert not known.table[-1].any()
    unknown = prior_of(scenario, ["a", "b"])
    assert unknown.table[0] == pytest.approx(unknown.table[1])


def test_a_search_prior_prefers_vectors_to_words() -> None:
    blend = prior_of(SEARCH, ["lexical", "text"])
    assert blend.table[1, VALUE] > 2 * blend.table[0, VALUE] > 0


def test_two_cuts_are_learned_from_together(root: Path) -> None:
    shop, engine = Prepared.load(root / "prepared"), engine_of(root)
    sets = []
    for cut in shop.split.cuts:
        path = root / "features" / "states" / f"{cut.name}.parquet"
        sets.append(fit_set(engine, answers(shop, cut, path, engine).of_task("next_basket"), "next_basket"))
    few = Options(seed=1, only=("alpha", "softmax", "least_squares"))
    fusion, report = fit_task(sets, {"item_knn": "cf"}, few)
    assert report["lists"] == sum(len(fit) for fit in sets)
    assert {"softmax", "least_squares"} <= set(fusion.methods)
    assert "alpha" not in fusion.methods  # there is no deep member to blend with


def test_an_older_window_whose_shop_had_too_little_for_a_member_teaches_nothing() -> None:
    def lists(members: tuple[str, ...]) -> FitSet:
        shape = (2, 3)
        return FitSet(
            members, np.zeros((*shape, len(members)), np.float32), np.ones(shape, bool), np.zeros(shape, np.float32),
            np.ones(2, np.int64), np.arange(2),
        )  # fmt: skip

    poor, rich, newest = lists(("als",)), lists(("als", "bpr", "text")), lists(("als", "text"))
    kept = _with_newest_members([poor, rich, newest])
    assert [fit.members for fit in kept] == [("als", "text")] * 2
    assert _with_newest_members([]) == []
