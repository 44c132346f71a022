"""A real release of the planted shop, judged: what every user wants is known beforehand."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from evaluated_run import VISIT_4, Run, evaluated_shop, make_run
from member_contract import COLD, DAY, GROUPS, USERS, group_of

from components.common import columns as c
from components.common.errors import DataError, ReleaseError
from components.common.prepared import Prepared
from components.evaluate.judge import judge
from components.evaluate.known_relations import read_relations
from components.evaluate.metrics import auc
from components.evaluate.relevance import relevant
from components.evaluate.run import _groups, evaluate
from serving.engine import Engine
from serving.features import HistoricalStates
from serving.queries import RECOMMEND

TOP = {
    "schema_version", "protocol", "seed", "effort", "as_of", "release", "dataset", "members", "methods", "fused",
    "tasks", "channels", "gain", "oracle", "segments", "search", "relations", "scenarios", "timings_s", "peak_rss_mb",
}  # fmt: skip
METRICS = {
    f"{name}@{k}"
    for k in (5, 10, 20)
    for name in ("precision", "recall", "f1", "hit", "ndcg", "map", "mrr", "coverage", "diversity", "novelty")
} | {"accuracy@1", "auc"}


def judged(run: Run, store: Path | str = "", relations: Path | str = "") -> dict[str, Any]:
    release, prepared, features, blends = (run.root / name for name in ("release", "prepared", "features", "fusion"))
    return evaluate(release, prepared, features, blends, str(store), str(relations), run.root / "evaluation")


def test_metrics_hold_exactly_what_the_contract_names(run: Run) -> None:
    judged(run)
    metrics = json.loads((run.root / "evaluation" / "metrics.json").read_text())
    assert metrics.keys() == TOP
    assert metrics["members"].keys() == {"item_knn", "popularity"}
    assert metrics["methods"].keys() == {"least_squares"}
    for one in (*metrics["members"].values(), *metrics["methods"].values()):
        assert one.keys() == METRICS
    assert metrics["fused"].keys() == METRICS | {"method"}
    assert metrics["tasks"].keys() == {"discovery", "next_basket"}
    for task in metrics["tasks"].values():
        assert task.keys() == {"members", "methods", "fused", "gain", "ladder"}
        assert task["ladder"].keys() == {"users", "best_member", "gains"}
        assert task["ladder"]["gains"].keys() == task["methods"].keys()
    assert metrics["members"] == metrics["tasks"]["discovery"]["members"]
    assert metrics["gain"].keys() == {"over", "ndcg@10", "ci95"}
    assert metrics["channels"].keys() == {"item_knn", "popularity"}
    assert metrics["segments"].keys() == {"cold", "light", "heavy", "new_items"}
    assert metrics["dataset"] == {
        "users": USERS, "items": COLD + 1, "events": USERS * 6, "train": USERS * 4, "fit": 0, "test": USERS * 2,
    }  # fmt: skip
    assert (metrics["search"], metrics["relations"], metrics["timings_s"]) == (None, None, None)
    assert metrics["as_of"].startswith("2024-01-0")
    assert metrics["effort"] == "fast"


def test_the_planted_answer_is_found_and_nothing_else_is(run: Run) -> None:
    metrics = judged(run)["metrics"]
    discovery = metrics["tasks"]["discovery"]
    # each user lacks one item of the own group; neighbours put it first, popularity cannot know the group
    assert discovery["members"]["item_knn"]["ndcg@10"] == 1.0
    assert discovery["members"]["item_knn"]["accuracy@1"] == 1.0
    assert discovery["members"]["item_knn"]["auc"] == 1.0
    assert discovery["fused"]["ndcg@10"] == 1.0
    assert discovery["fused"]["precision@10"] == pytest.approx(0.1)
    assert discovery["members"]["popularity"]["ndcg@10"] < 0.8
    assert metrics["oracle"] == {"ndcg@10": 1.0}
    assert metrics["gain"] == {"over": "item_knn", "ndcg@10": 0.0, "ci95": [0.0, 0.0]}
    assert metrics["channels"]["item_knn"] == {"recall@100": 1.0}


def test_discovery_counts_only_items_new_to_the_user(run: Run) -> None:
    shop = run.prepared
    new = relevant(shop, shop.split.test, "discovery")
    both = relevant(shop, shop.split.test, "next_basket")
    assert (len(new), len(new.items)) == (USERS, USERS)
    assert (len(both), len(both.items)) == (USERS, USERS * 2)
    np.testing.assert_array_equal(group_of(new.items), group_of(new.users))
    seen = shop.history(shop.split.test)
    pairs = set(zip(seen[c.USER], seen[c.ITEM], strict=True))
    assert not pairs & set(zip(new.users.tolist(), new.items.tolist(), strict=True))


def test_batches_change_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, engine = run.prepared, Engine.load(run.root / "release")
    truth = relevant(shop, shop.split.test, "discovery")
    states = HistoricalStates.load(run.root / "features" / "states" / "test.parquet", engine.catalogue).states(
        shop.users[c.USER_ID].tolist(), VISIT_4
    )
    whole = judge(engine, states, truth, "discovery", workers=1)
    monkeypatch.setattr("components.evaluate.judge.BATCH", 7)
    pieces = judge(engine, states, truth, "discovery", workers=2)
    np.testing.assert_array_equal(pieces.fused.items, whole.fused.items)
    np.testing.assert_array_equal(pieces.members["popularity"].auc, whole.members["popularity"].auc)
    np.testing.assert_allclose(pieces.curves["fused"], whole.curves["fused"])


def test_auc_is_among_the_items_that_may_be_shown(run: Run) -> None:
    shop, engine = run.prepared, Engine.load(run.root / "release")
    truth = relevant(shop, shop.split.test, "discovery")
    history = HistoricalStates.load(run.root / "features" / "states" / "test.parquet", engine.catalogue)
    states = history.states(shop.users[c.USER_ID].tolist(), VISIT_4)
    found = judge(engine, states, truth, "discovery")
    for name, scores in engine.full_scores(engine.queries(RECOMMEND, states), "discovery").items():
        assert np.isneginf(scores).any()
        np.testing.assert_array_equal(found.members[name].auc, auc(scores, truth.rows, truth.items))


def without_auc(values: Any) -> Any:
    """*values* without any AUC, which is that of the users drawn."""
    if not isinstance(values, dict):
        return values
    return {name: without_auc(value) for name, value in values.items() if name != "auc"}


def test_blends_that_do_not_serve_are_judged_on_users_drawn_and_the_rest_on_all(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = judged(run)["metrics"]
    monkeypatch.setattr("components.evaluate.run.LADDER_USERS", 5)
    monkeypatch.setattr("components.evaluate.judge.BATCH", 3)
    drawn = judged(run)["metrics"]
    for name in ("gain", "channels", "oracle", "segments"):
        assert without_auc(drawn[name]) == without_auc(whole[name])
    for task in ("discovery", "next_basket"):
        for name in ("members", "fused"):
            assert without_auc(drawn["tasks"][task][name]) == without_auc(whole["tasks"][task][name])
    for task in ("discovery", "next_basket"):
        assert whole["tasks"][task]["ladder"]["users"] == USERS
        assert drawn["tasks"][task]["ladder"]["users"] == 5
    assert drawn["tasks"]["discovery"]["ladder"]["gains"] == {"least_squares": {"ndcg@10": 0.0, "ci95": [0.0, 0.0]}}
    assert "All blends, for 5 users" in (run.root / "evaluation" / "report.html").read_text()


def test_every_user_keeps_their_own_place_whoever_is_drawn(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, engine = run.prepared, Engine.load(run.root / "release")
    truth = relevant(shop, shop.split.test, "next_basket")
    history = HistoricalStates.load(run.root / "features" / "states" / "test.parquet", engine.catalogue)
    states = history.states(shop.users[c.USER_ID].tolist(), VISIT_4)
    monkeypatch.setattr("components.evaluate.judge.BATCH", 4)
    whole = judge(engine, states, truth, "next_basket")
    asked = np.array([1, 2, 7, 11, 12])
    drawn = judge(engine, states, truth, "next_basket", asked=asked)
    np.testing.assert_array_equal(drawn.asked, asked)
    np.testing.assert_array_equal(drawn.fused.items, whole.fused.items)
    for one, other in ((drawn.members["item_knn"], whole.members["item_knn"]), (drawn.fused, whole.fused)):
        np.testing.assert_array_equal(one.items, other.items)
        np.testing.assert_array_equal(one.auc[asked], other.auc[asked])
        assert np.isnan(np.delete(one.auc, asked)).all()
    np.testing.assert_array_equal(drawn.methods["least_squares"].items, whole.methods["least_squares"].items[asked])
    np.testing.assert_array_equal(drawn.methods["least_squares"].auc, whole.methods["least_squares"].auc[asked])
    np.testing.assert_array_equal(drawn.pooled, whole.pooled)
    np.testing.assert_allclose(drawn.false_positives, whole.false_positives)


def test_users_are_taken_with_what_they_wanted_in_the_order_asked(run: Run) -> None:
    truth = relevant(run.prepared, run.prepared.split.test, "next_basket")
    taken = truth.take(np.array([5, 2]))
    assert taken.users.tolist() == truth.users[[5, 2]].tolist()
    assert taken.rows.tolist() == [0, 0, 1, 1]
    assert taken.items.tolist() == [*truth.items[truth.rows == 5], *truth.items[truth.rows == 2]]
    assert len(truth.take(np.array([], dtype=np.int64)).items) == 0


def test_segments_split_the_users_by_what_is_behind_them(run: Run) -> None:
    segments = judged(run)["metrics"]["segments"]
    assert segments["cold"]["users"] == 0
    assert segments["light"]["users"] == USERS  # four distinct items each
    assert segments["heavy"]["users"] == 0
    assert segments["new_items"]["users"] == 0
    assert segments["light"]["fused"]["ndcg@10"] == 1.0
    assert segments["cold"]["fused"]["ndcg@10"] is None


def test_a_new_item_that_somebody_wanted_is_a_segment_of_its_own(tmp_path: Path) -> None:
    shop = evaluated_shop()
    first = shop.events.index[shop.events[c.TIMESTAMP] >= pd.Timestamp(VISIT_4, unit="us", tz="UTC")][0]
    shop.events.loc[first, c.ITEM] = COLD
    segments = judged(make_run(tmp_path, shop))["metrics"]["segments"]
    assert segments["new_items"]["users"] == 1


def test_a_blend_that_is_worse_than_its_best_member_is_refused(run: Run) -> None:
    run.pack(-1.0)
    found = judged(run)
    assert not found["verdict"].passed
    assert "worse beyond doubt" in found["verdict"].reasons[0]
    assert found["metrics"]["gain"]["ci95"][1] < 0
    verdict = json.loads((run.root / "evaluation" / "verdict.json").read_text())
    assert verdict["passed"] is False
    assert verdict["comparisons"][0]["over"] == "the best member, item_knn"


def publish(run: Run, store: Path) -> str:
    digest = str(json.loads((run.root / "release" / "manifest.json").read_text())["release"])
    shutil.copytree(run.root / "release", store / "releases" / digest)
    (store / "current").write_text(digest)
    return digest


def test_a_candidate_worse_than_the_champion_is_refused(run: Run, tmp_path: Path) -> None:
    digest = publish(run, tmp_path / "store")
    run.pack(-1.0)
    reasons = judged(run, tmp_path / "store")["verdict"].reasons
    assert any(f"the champion, {digest[:12]}: worse beyond doubt" in reason for reason in reasons)


def test_a_better_candidate_replaces_a_bad_champion(run: Run, tmp_path: Path) -> None:
    good = run.root / "release"
    shutil.copytree(good, tmp_path / "good")
    run.pack(-1.0)
    publish(run, tmp_path / "store")
    shutil.rmtree(good)
    shutil.copytree(tmp_path / "good", good)
    verdict = judged(run, tmp_path / "store")["verdict"]
    assert verdict.passed
    assert verdict.reasons[1].endswith(": better.")


def test_a_champion_trained_past_the_tests_start_is_reported_not_judged(run: Run, tmp_path: Path) -> None:
    champion = evaluated_shop()
    cut = champion.split.cuts[0].model_copy(update={"as_of": VISIT_4 + 14 * DAY})
    split = champion.split.model_copy(update={"cuts": (cut,)})
    past = make_run(tmp_path / "past", Prepared(champion.events, champion.items, champion.users, split, champion.shop))
    publish(past, tmp_path / "store")
    run.pack(1.0)
    verdict = judged(run, tmp_path / "store")["verdict"]
    assert verdict.passed
    assert any(reason.endswith("(it was trained past the test's start).") for reason in verdict.reasons)


def test_the_same_release_and_a_damaged_champion_are_said_aloud(run: Run, tmp_path: Path) -> None:
    digest = publish(run, tmp_path / "store")
    assert "The champion is this very release." in judged(run, tmp_path / "store")["verdict"].reasons
    (tmp_path / "store" / "releases" / digest / "fusion.json").write_text("{}")
    reasons = judged(run, tmp_path / "store")["verdict"].reasons
    assert any(reason.startswith("The champion cannot be compared with: release: fusion.json") for reason in reasons)


def test_a_damaged_release_is_not_evaluated(run: Run) -> None:
    (run.root / "release" / "fusion.json").write_text("{}")
    with pytest.raises(ReleaseError):
        judged(run)


def test_items_are_told_apart_by_brand_where_none_has_a_category() -> None:
    items = pd.DataFrame({c.CATEGORY: ["", "", ""], c.BRAND: ["a", "", "a"]})
    assert _groups(items).tolist() == [0, -1, 0]
    assert _groups(items.assign(**{c.CATEGORY: ["x", "y", ""]})).tolist() == [0, 1, -1]


def test_search_is_judged_on_judged_items_alone(run: Run) -> None:
    judgements = [("violin strings", f"i{row:02d}", 3 if row % GROUPS == 2 else 0) for row in range(0, 12)]
    judgements += [("nothing relevant here", "i00", 0), ("violin strings", "unknown", 3)]
    table = pd.DataFrame(judgements, columns=[c.QUERY, c.ITEM_ID, c.GRADE])
    table.to_parquet(run.root / "prepared" / "judgements.parquet")
    search = judged(run)["metrics"]["search"]
    assert search == {"judged": {"fused": {"ndcg@10": 1.0}, "lexical": {"ndcg@10": 1.0}}}


def test_relations_are_truth_for_bundles_and_similar_items(run: Run, tmp_path: Path) -> None:
    pairs = [(f"i{a:02d}", f"i{b:02d}", "complement") for a in range(6) for b in range(15) if a % 3 == b % 3 and a != b]
    table = pd.DataFrame([*pairs, ("i00", "unknown", "substitute")], columns=[c.ITEM_ID, c.RELATED_ID, c.KIND])
    table.to_csv(tmp_path / "relations.csv", index=False)
    relations = judged(run, relations=tmp_path / "relations.csv")["metrics"]["relations"]
    assert relations == {"complement": {"recall@20": 1.0}, "substitute": {"recall@20": None}}


def test_relations_keep_their_ids_and_say_which_kinds_they_lack(tmp_path: Path) -> None:
    path = tmp_path / "relations.csv"
    path.write_text("item_id,related_id,kind,note\nNA,007,complement,x\n007,,complement,y\n")
    assert read_relations(path).to_numpy().tolist() == [["NA", "007", "complement"]]
    path.write_text("item_id,related_id,kind\n1,2,also_viewed\n")
    with pytest.raises(DataError, match=r"also_viewed.*complement or substitute"):
        read_relations(path)


def test_relations_without_their_columns_say_which(run: Run, tmp_path: Path) -> None:
    (tmp_path / "relations.csv").write_text("item_id,kind\ni00,complement\n")
    with pytest.raises(DataError, match="related_id"):
        judged(run, relations=tmp_path / "relations.csv")


def test_a_shop_without_events_is_checked_by_contract_alone(tmp_path: Path) -> None:
    run = make_run(tmp_path, evaluated_shop())
    shop = run.prepared
    cut = shop.split.test.model_copy(update={"as_of": None, "until": None})
    split = shop.split.model_copy(update={"cuts": (cut,), "repeats": False})
    Prepared(shop.events.iloc[:0], shop.items, shop.users.iloc[:0], split, shop.shop).save(run.root / "prepared")
    run.pack(1.0)
    found = judged(run)
    metrics = found["metrics"]
    assert metrics.keys() == TOP
    for name in ("members", "methods", "fused", "gain", "channels", "oracle", "segments", "tasks", "as_of"):
        assert metrics[name] is None
    assert found["verdict"].passed
    assert "contract checks only" in found["verdict"].reasons[-1]


def test_where_nobody_wants_anything_new_the_gate_judges_by_next_baskets(tmp_path: Path) -> None:
    shop = evaluated_shop()
    cut = shop.split.cuts[0].model_copy(update={"as_of": VISIT_4 + 14 * DAY})  # visit 5 repeats visit 0
    split = shop.split.model_copy(update={"cuts": (cut,)})
    run = make_run(tmp_path, Prepared(shop.events, shop.items, shop.users, split, shop.shop))
    run.pack(-1.0)
    found = judged(run)
    assert found["metrics"]["tasks"].keys() == {"next_basket"}
    assert found["metrics"]["fused"] is None
    assert not found["verdict"].passed


def test_leave_one_out_asks_each_user_at_their_own_time(tmp_path: Path) -> None:
    shop = evaluated_shop()
    cut = shop.split.cuts[0].model_copy(update={"as_of": None, "until": None, "hold_out": 1, "members": "all"})
    split = shop.split.model_copy(update={"cuts": (cut,), "protocol": "leave-one-out", "repeats": False})
    metrics = judged(make_run(tmp_path, Prepared(shop.events, shop.items, shop.users, split, shop.shop)))["metrics"]
    assert metrics["as_of"] is None
    assert metrics["dataset"]["test"] == USERS
    assert metrics["fused"]["ndcg@10"] == 1.0


def test_the_report_is_one_page_without_links(run: Run) -> None:
    judged(run)
    page = (run.root / "evaluation" / "report.html").read_text()
    assert "The blend and its best model cannot be told apart" in page
    assert not re.search(r"""(src|href|url\()\s*=?\s*["'(]?https?:""", page)
    assert "<script" not in page
    assert page.count("<svg") >= 3
    card = (run.root / "evaluation" / "model_card.md").read_text()
    assert card.startswith("# Model card: release ")
    assert "| **fused** (least_squares) | 1.0000 |" in card


def test_the_same_inputs_give_the_same_numbers(run: Run) -> None:
    first = judged(run)["metrics"]
    assert judged(run)["metrics"] == first
