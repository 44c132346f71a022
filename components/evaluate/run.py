"""Stage evaluate: a release and a prepared shop in; metrics.json, verdict.json, report.html and model_card.md out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.files import read_json, write_json, write_text
from components.common.moments import microseconds, moment
from components.common.prepared import Prepared
from components.evaluate.ads import judge_clicks
from components.evaluate.bootstrap import Paired, paired
from components.evaluate.bundles import judge_bundles
from components.evaluate.campaigns import judge_campaigns, judge_users
from components.evaluate.card import model_card
from components.evaluate.champion import Champion
from components.evaluate.checks import contract_problems
from components.evaluate.gate import Comparison, gate, record
from components.evaluate.judge import Outcome, confusion, judge
from components.evaluate.judged_search import JudgedQueries, judge_search
from components.evaluate.known_relations import judge_relations, read_relations
from components.evaluate.metrics import mean
from components.evaluate.relevance import Relevance, met, relevant
from components.evaluate.report import Story, render
from components.evaluate.summary import NDCG, Shelf, Summary, channels, segments, summarise
from serving.arrays import Ints, Longs
from serving.engine import Engine
from serving.features import HistoricalStates
from serving.queries import DISCOVERY, NEXT_BASKET, RECOMMEND
from serving.states import UserStates

SCHEMA_VERSION = 1
METRICS_FILE, VERDICT_FILE, REPORT_FILE, CARD_FILE = "metrics.json", "verdict.json", "report.html", "model_card.md"
SHOWN = 10  # places of a list that a customer sees
LADDER_USERS = 1_500  # for whom every blend is ranked; the blend that serves and the members, for all
JUDGEMENTS_FILE, FIT_REPORT = "judgements.parquet", "fit_report.json"


@dataclass(frozen=True)
class Bench:
    """What every judgement is made with."""

    shop: Prepared
    engine: Engine
    states: Path  # Parquet of the test users' states
    shelf: Shelf

    def states_of(self, relevance: Relevance) -> UserStates:
        """States of the users of *relevance*, in order, at the test's start."""
        return HistoricalStates.load(self.states, self.engine.catalogue).states(
            self.ids(relevance), self.shop.split.test.as_of
        )

    def ids(self, relevance: Relevance) -> list[str]:
        """Pseudonyms of the users of *relevance*."""
        users = self.shop.users[c.USER_ID].astype(str).to_numpy()
        return [str(user) for user in users[relevance.users]]


@dataclass(frozen=True)
class Tested:
    """One task, ranked and summed up."""

    relevance: Relevance
    outcome: Outcome
    summary: Summary


def evaluate(
    release: Path, prepared: Path, features: Path, fusion: Path, store: str, relations: str, out: Path
) -> dict[str, Any]:
    """Judge *release* on the test, through the engine that would serve it.

    Args:
        release: verified first.
        prepared: the prepared shop.
        features: holds `states/<cut>.parquet`.
        fusion: holds `fit_report.json` and, where search was learned from judgements, `search_oof.json`.
        store: where the champion lives; empty: nowhere.
        relations: a file of known complements and substitutes; empty: none.
        out: folder of metrics.json, verdict.json, report.html and model_card.md.

    Returns:
        {"metrics", "verdict", "roc": [[false positive rate], [true positive rate]], "confusion": of the first ten
        places, see `confusion`; None without test users}.

    Raises:
        ReleaseError: the release is damaged.
        DataError: the relations cannot be read.
    """
    truth = read_relations(Path(relations)) if relations else None
    bench = _bench(release, prepared, features)
    tested = {task: one for task in (DISCOVERY, NEXT_BASKET) if (one := _test(bench, task))}
    main = tested.get(bench.shop.shop.task) or tested.get(DISCOVERY)
    search = _search(bench, prepared, fusion)
    problems = contract_problems(bench.engine, release)
    by = main or next(iter(tested.values()), None)  # the gate judges by the other task where this one has no users
    comparisons, notes = _comparisons(bench, by, search, Path(store) if store else None)
    verdict = gate(comparisons, problems, notes)
    fitted = read_json(fusion / FIT_REPORT) if (fusion / FIT_REPORT).exists() else {}
    metrics = _metrics(bench, tested, main, fitted.get("effort"))
    metrics["search"] = {"judged": _search_means(search)} if search else None
    metrics["scenarios"] = {
        "bundle": judge_bundles(bench.engine, bench.shop),
        "campaign": judge_campaigns(bench.engine, bench.shop, prepared, bench.states),
        "campaign_users": judge_users(bench.engine, bench.shop, prepared, bench.states),
        "ads": judge_clicks(bench.engine, bench.shop, prepared, bench.states),
    }
    metrics["relations"] = None if truth is None else judge_relations(bench.engine, truth)
    story = Story(metrics, verdict, fitted, main.outcome if main else None)
    _write(out, story, record(verdict, comparisons))
    shown = confusion(main.outcome.fused.items[:, :SHOWN], main.relevance) if main else None
    roc = main.outcome.roc() if main else [[0.0, 1.0], [0.0, 1.0]]
    return {"metrics": metrics, "verdict": verdict, "roc": roc, "confusion": shown}


def _bench(release: Path, prepared: Path, features: Path) -> Bench:
    engine = Engine.load(release)
    shop = Prepared.load(prepared)
    cut = shop.split.test
    shelf = Shelf(_groups(shop.items), met(shop, cut), len(shop.users))
    return Bench(shop, engine, features / "states" / f"{cut.name}.parquet", shelf)


def _groups(items: pd.DataFrame) -> Ints:
    """(n_items,) number of each item's category path, -1 without one; of its brand where no item has a category."""
    path = items[c.CATEGORY if (items[c.CATEGORY] != "").any() else c.BRAND].astype(str)
    return np.asarray(pd.factorize(path.where(path != ""))[0], dtype=np.int32)


def _test(bench: Bench, task: str) -> Tested | None:
    """None where nobody can be asked, or the release does not serve the task."""
    fusion, split = bench.engine.fusion, bench.shop.split
    served = fusion is not None and task in fusion.tasks and (task == DISCOVERY or split.repeats)
    can = any(RECOMMEND in member.scenarios for member in bench.engine.members.values())
    relevance = relevant(bench.shop, split.test, task)
    if not served or not can or not len(relevance):
        return None
    asked = _drawn(len(relevance), split.seed)
    outcome = judge(bench.engine, bench.states_of(relevance), relevance, task, asked=asked)
    return Tested(relevance, outcome, summarise(outcome, relevance, bench.shelf, split.seed))


def _drawn(users: int, seed: int) -> Longs:
    """Places of the users, ascending, for whom the blends that do not serve are ranked too."""
    chosen = np.random.default_rng(seed).choice(users, min(users, LADDER_USERS), replace=False)
    return np.sort(chosen).astype(np.int64)


def _search(bench: Bench, prepared: Path, fusion: Path) -> tuple[float | None, float | None, Paired | None] | None:
    """Mean NDCG@10 of fused and lexical search, and their difference; None without judgements of known items."""
    path = prepared / JUDGEMENTS_FILE
    tasks = bench.engine.fusion.tasks if bench.engine.fusion else {}
    if not path.exists() or "search" not in tasks:
        return None
    judged = JudgedQueries.of(pd.read_parquet(path), bench.engine.catalogue)
    if not judged.texts:
        return None
    found = judge_search(bench.engine, judged, fusion)
    if found.lexical is None:
        return mean(found.fused), None, None
    return mean(found.fused), mean(found.lexical), paired(found.fused, found.lexical, bench.shop.split.seed)


def _search_means(search: tuple[float | None, float | None, Paired | None]) -> dict[str, Any]:
    return {"fused": {NDCG: search[0]}, "lexical": {NDCG: search[1]}}


def _comparisons(
    bench: Bench,
    main: Tested | None,
    search: tuple[float | None, float | None, Paired | None] | None,
    store: Path | None,
) -> tuple[list[Comparison], list[str]]:
    """Best member and champion where there are test users, else lexical search where there are judgements."""
    if main is None:
        judged = search[2] if search else None
        return ([Comparison.of("lexical search", judged)] if judged else []), []
    found = []
    if main.summary.against_best:
        found.append(Comparison.of(f"the best member, {main.summary.best}", main.summary.against_best))
    if store is None:
        return found, []
    against, note = _against_champion(bench, main, store)
    return found + ([against] if against else []), [note] if note else []


def _against_champion(bench: Bench, main: Tested, store: Path) -> tuple[Comparison | None, str]:
    champion, note = Champion.of(store, bench.engine.digest)
    if champion is None:
        return None, note
    task = main.outcome.task
    if why_not := champion.can(task, bench.engine.catalogue):
        return None, why_not
    as_of = bench.shop.split.test.as_of
    theirs = champion.ndcg(bench.engine.catalogue, main.relevance, bench.ids(main.relevance), bench.states, task, as_of)
    difference = paired(main.summary.ndcg["fused"], theirs, bench.shop.split.seed)
    if difference is None:
        return None, ""
    saw = champion.saw(_test_start(bench.shop))
    name = f"the champion, {champion.engine.digest[:12]}"
    return Comparison.of(name, difference, not saw, "it was trained past the test's start" if saw else ""), ""


def _test_start(shop: Prepared) -> int | None:
    """The first moment (µs) of the test; in leave-one-out that of its earliest event."""
    cut = shop.split.test
    if cut.as_of is not None:
        return cut.as_of
    target = microseconds(shop.target(cut)[c.TIMESTAMP])
    return int(target.min()) if len(target) else None


def _metrics(bench: Bench, tested: dict[str, Tested], main: Tested | None, effort: str | None) -> dict[str, Any]:
    split = bench.shop.split
    as_of = split.test.as_of
    top: dict[str, Any] = dict.fromkeys(("members", "methods", "fused", "gain", "channels", "oracle", "segments"))
    if main:
        top = {
            **main.summary.task(),
            "channels": channels(main.outcome),
            "oracle": {NDCG: main.summary.oracle},
            "segments": segments(
                main.outcome, main.relevance, bench.shelf, main.summary.best, bench.states_of(main.relevance).sizes
            ),
        }
    return {
        "schema_version": SCHEMA_VERSION,
        "protocol": split.protocol,
        "seed": split.seed,
        "effort": effort,
        "as_of": None if as_of is None else moment(as_of).isoformat(),
        "release": bench.engine.digest,
        "dataset": bench.shop.counts(),
        "tasks": {task: {**one.summary.task(), "ladder": one.summary.ladder} for task, one in tested.items()} or None,
        **top,
        "timings_s": None,
        "peak_rss_mb": None,
    }


def _write(out: Path, story: Story, verdict: dict[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / METRICS_FILE, story.metrics)
    write_json(out / VERDICT_FILE, verdict)
    write_text(out / CARD_FILE, model_card(story.metrics, story.verdict))
    write_text(out / REPORT_FILE, render(story))
