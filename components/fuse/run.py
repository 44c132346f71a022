"""Stage fuse: prepared shop, point-in-time states and members' folders in, fusion.json out."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pandas as pd

from components.common.config import Effort
from components.common.files import write_json
from components.common.impressions import IMPRESSIONS_FILE, impressions
from components.common.prepared import Cut, Prepared
from components.common.searches import SEARCHES_FILE
from components.common.settings import Settings
from components.fuse.audience import fit_audience
from components.fuse.beside import visit_options, visit_sets
from components.fuse.bundles import basket_sets, bundle_options
from components.fuse.clicks import examination, fit_clicks
from components.fuse.config import EFFORTS, FusionConfig
from components.fuse.fit import fit_task
from components.fuse.lists import FitSet
from components.fuse.newcomers import MOST_USERS as NEWCOMERS
from components.fuse.newcomers import for_newcomers, newcomer_set, viewed_set
from components.fuse.offers import held_by_nothing, offer_options, offer_sets
from components.fuse.options import Options
from components.fuse.pools import Answers, answers, fit_set
from components.fuse.priors import prior_of
from components.fuse.search import fit_search
from components.fuse.searches import fit_searches
from components.fuse.strangers import MOST_USERS as STRANGERS
from components.fuse.strangers import for_strangers, stranger_set
from serving.ads import CLICKS_FILE
from serving.audience import AUDIENCE_FILE
from serving.blend import Fusion, TaskFusion
from serving.campaigns import TARGETS_FILE, Campaigns
from serving.catalogue import Catalogue
from serving.engine import Engine
from serving.members import kinds
from serving.queries import BUNDLE, CAMPAIGN, DISCOVERY, NEXT_BASKET, RECOMMEND, SEARCH, SIMILAR
from serving.shown import joined, scored

FUSION_FILE, REPORT_FILE, OUT_OF_FOLD_FILE = "fusion.json", "fit_report.json", "search_oof.json"
JUDGEMENTS_FILE = "judgements.parquet"
FEWEST_USERS = 20  # with fewer users to learn from the prior stays


@dataclass(frozen=True)
class Inputs:
    """The folders the stage reads."""

    prepared: Path
    embeddings: Path
    features: Path
    members: tuple[Path, ...]


def fuse(
    prepared: Path,
    embeddings: Path,
    features: Path,
    members: list[Path],
    out: Path,
    effort: str,
    seed: int,
    settings: str = "",
) -> None:
    """Learn every task's blend and write fusion.json, fit_report.json and, with judgements, search_oof.json.

    Args:
        prepared: folder of the prepared shop.
        embeddings: folder with encoder/.
        features: folder with states/<cut>.parquet.
        members: folders of the families, each with <cut.members>/<member>/.
        out: folder to write.
        effort: `fast` or `full`.
        seed: every random choice follows from it.
        settings: see Settings.load; its section `fusion`.
    """
    config = Settings.of_members(settings, kinds()).fill_fusion(EFFORTS[cast(Effort, effort)])
    started = time.perf_counter()
    inputs = Inputs(prepared, embeddings, features, tuple(members))
    shop = Prepared.load(prepared)
    serving = _engine(inputs, shop, shop.split.test, with_encoder=True)
    engines = fit_engines(inputs, shop)
    tasks, reports = _recommend(inputs, shop, serving, engines, config, seed)
    if _members(serving, SEARCH):
        tasks[SEARCH], reports[SEARCH] = _search(inputs, shop, serving, engines, out, config, seed)
    if _members(serving, BUNDLE):
        baskets = basket_sets(engines, shop, seed)
        tasks[BUNDLE], reports[BUNDLE] = _linear(serving, BUNDLE, baskets, bundle_options, config, seed)
    learned = _offers(inputs, shop, serving, engines, config, seed)
    if learned is not None:
        tasks[CAMPAIGN], reports[CAMPAIGN] = learned
    if _members(serving, SIMILAR):
        visits = visit_sets(engines, shop, seed)
        tasks[SIMILAR], reports[SIMILAR] = _linear(serving, SIMILAR, visits, visit_options, config, seed)
    _clicks(inputs, shop, engines, seed, out)
    _audience(inputs, shop, serving, out)
    Fusion(tasks=tasks).save(out / FUSION_FILE)
    write_json(
        out / REPORT_FILE, {"effort": effort, "tasks": reports, "seconds": round(time.perf_counter() - started, 3)}
    )


def _recommend(
    inputs: Inputs, shop: Prepared, serving: Engine, engines: dict[str, Engine], config: FusionConfig, seed: int
) -> tuple[dict[str, TaskFusion], dict[str, Any]]:
    tasks, reports = {}, {}
    wanted = (DISCOVERY, NEXT_BASKET) if shop.split.repeats else (DISCOVERY,)
    for task in wanted:
        sets = fit_sets(inputs, shop, engines, task, config, seed)
        if sum(len(fit) for fit in sets) < FEWEST_USERS:
            tasks[task], reports[task] = _prior(serving, RECOMMEND)
            continue
        families = {name: member.family for name, member in serving.members.items()}
        options = Options(
            folds=config.folds,
            max_rows=config.rows,
            seed=seed,
            shapes=config.shapes,
            only=config.methods,
            everyone=len(shop.users),
        )
        fusion, report = fit_task(sets, families, options)
        makers = ((stranger_set, STRANGERS), (viewed_set, NEWCOMERS), (newcomer_set, NEWCOMERS))
        unknown, viewed, short = (_unlike_sets(make, inputs, shop, engines, task, most, seed) for make, most in makers)
        fusion, report["strangers"] = for_strangers(fusion, unknown, options)
        fusion, report["viewed"] = for_newcomers(fusion, viewed, options)
        tasks[task], report["newcomers"] = for_newcomers(fusion, short, options)
        reports[task] = report
    return tasks, reports


def fit_engines(inputs: Inputs, shop: Prepared) -> dict[str, Engine]:
    """By fit cut, an engine over its members."""
    return {cut.name: _engine(inputs, shop, cut) for cut in shop.split.fits}


def fit_sets(
    inputs: Inputs, shop: Prepared, engines: dict[str, Engine], task: str, config: FusionConfig, seed: int
) -> list[FitSet]:
    """What the engines recall for users of each fit cut, with what they took next."""
    sets = []
    for engine, everyone in _asked(inputs, shop, engines):
        asked = everyone.of_task(task).sample(config.users // len(engines), seed)
        if len(asked.users):
            sets.append(fit_set(engine, asked, task))
    return _with_newest_members(sets)


def _unlike_sets(
    make: Callable[[Engine, Answers, str, int, int], FitSet | None],
    inputs: Inputs,
    shop: Prepared,
    engines: dict[str, Engine],
    task: str,
    most: int,
    seed: int,
) -> list[FitSet]:
    """As `fit_sets`, of *most* users whose history *make* hides or cuts."""
    each = most // max(len(engines), 1)
    sets = [make(engine, asked, task, each, seed) for engine, asked in _asked(inputs, shop, engines)]
    return _with_newest_members([fit for fit in sets if fit is not None])


def _asked(inputs: Inputs, shop: Prepared, engines: dict[str, Engine]) -> Iterator[tuple[Engine, Answers]]:
    """By fit cut that knows users and members for them: its engine, and what every user took next."""
    for cut in shop.split.fits:
        path = inputs.features / "states" / f"{cut.name}.parquet"
        if _members(engines[cut.name], RECOMMEND) and path.exists():
            yield engines[cut.name], answers(shop, cut, path, engines[cut.name])


def _with_newest_members(sets: list[FitSet]) -> list[FitSet]:
    """The sets that know every member of the newest one, restricted to those: an older shop may have had too little."""
    newest = sets[-1].members if sets else ()
    return [fit.of(newest) for fit in sets if set(newest) <= set(fit.members)]


def _linear(
    serving: Engine,
    scenario: str,
    found: list[FitSet],
    options: Callable[[tuple[str, ...], int, int], Options],
    config: FusionConfig,
    seed: int,
) -> tuple[TaskFusion, dict[str, Any]]:
    """The blend of *scenario* learned from the sets *found*; the prior where there are none."""
    sets = _with_newest_members(found)
    if not sets:
        return _prior(serving, scenario)
    return fit_task(sets, {}, options(sets[0].members, config.folds, seed))


def _search(
    inputs: Inputs,
    shop: Prepared,
    serving: Engine,
    engines: dict[str, Engine],
    out: Path,
    config: FusionConfig,
    seed: int,
) -> tuple[TaskFusion, dict[str, Any]]:
    """From judgements, else from what users took after searching, else the prior."""
    path = inputs.prepared / JUDGEMENTS_FILE
    if not path.exists():
        return _searches(inputs, shop, serving, engines, config, seed) or _prior(serving, SEARCH)
    fusion, by_query, report = fit_search(serving, pd.read_parquet(path), seed)
    write_json(out / OUT_OF_FOLD_FILE, {query: blend.model_dump(mode="json") for query, blend in by_query.items()})
    return fusion, report


def _searches(
    inputs: Inputs, shop: Prepared, serving: Engine, engines: dict[str, Engine], config: FusionConfig, seed: int
) -> tuple[TaskFusion, dict[str, Any]] | None:
    path = inputs.prepared / SEARCHES_FILE
    if not path.exists():
        return None
    return fit_searches(engines, serving, shop, pd.read_parquet(path), inputs.features / "states", config, seed)


def _offers(
    inputs: Inputs, shop: Prepared, serving: Engine, engines: dict[str, Engine], config: FusionConfig, seed: int
) -> tuple[TaskFusion, dict[str, Any]] | None:
    """The blend for new items of campaigns; None where campaigns taught too little: that of discovery serves."""
    campaigns = Campaigns.load(inputs.prepared, serving.catalogue).meant_for(inputs.prepared / TARGETS_FILE)
    if not len(campaigns):
        return None
    sets = _with_newest_members(offer_sets(engines, shop, campaigns, inputs.features / "states", seed))
    if not sets:
        return None
    fusion, report = fit_task(sets, {}, offer_options(config.folds, seed))
    return held_by_nothing(fusion), report


def _clicks(inputs: Inputs, shop: Prepared, engines: dict[str, Engine], seed: int, out: Path) -> None:
    """Write clicks.json, learned from what was shown in the fit windows; nothing where nothing was, or too little."""
    if not (inputs.prepared / IMPRESSIONS_FILE).exists():
        return
    tables, parts = [], []
    for cut in shop.split.fits:
        shown, states = impressions(inputs.prepared, shop, cut), inputs.features / "states" / f"{cut.name}.parquet"
        if len(shown) and states.exists():
            tables.append(shown)
            parts.append(scored(engines[cut.name], shop, shown, states, seed))
    found, names = joined(parts)
    model = fit_clicks(found, names, examination(pd.concat(tables))) if found is not None else None
    if model is not None:
        model.save(out / CLICKS_FILE)


def _audience(inputs: Inputs, shop: Prepared, serving: Engine, out: Path) -> None:
    """Write audience.json, learned from campaigns that are over; nothing where they taught too little."""
    campaigns = Campaigns.load(inputs.prepared, serving.catalogue).meant_for(inputs.prepared / TARGETS_FILE)
    model = fit_audience(shop, serving.catalogue, campaigns, inputs.features / "states") if len(campaigns) else None
    if model is not None:
        model.save(out / AUDIENCE_FILE)


def _prior(engine: Engine, scenario: str) -> tuple[TaskFusion, dict[str, Any]]:
    blend = prior_of(scenario, _members(engine, scenario))
    weights = {name: sum(row) for name, row in zip(blend.members, blend.weights, strict=True)}
    report = {"chosen": blend.kind, "why": "nothing to learn from", "weights": weights}
    return TaskFusion(chosen=blend.kind, methods={blend.kind: blend}), report


def _members(engine: Engine, scenario: str) -> tuple[str, ...]:
    return tuple(name for name, member in engine.members.items() if scenario in member.scenarios)


def _engine(inputs: Inputs, shop: Prepared, cut: Cut, with_encoder: bool = False) -> Engine:
    folders = [family / cut.members for family in inputs.members]
    encoder = inputs.embeddings / "encoder" if with_encoder else None
    return Engine.assemble(Catalogue(shop.items), shop.shop, folders, encoder, None)
