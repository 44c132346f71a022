"""A real release of the planted shop, made by the real stages, small enough for every test to have its own."""

import fcntl
import os
import shutil
from collections.abc import Collection
from pathlib import Path

import pytest
from member_contract import planted_shop

from components.common import columns as c
from components.common.files import write_json
from components.common.identity import id_key, pseudonym
from components.common.prepared import Prepared
from components.package.run import package
from components.train_cf.histories import clock_of, training_states
from components.train_cf.item_knn import ItemKnnConfig, ItemKnnTrainer
from components.train_cf.popularity import PopularityConfig, PopularityTrainer
from components.train_text.lexical import train_lexical
from serving.blend import FEATURES, Blend, Fusion, TaskFusion
from serving.members.history import HistoryWeights

TASKS = {
    "discovery": ("item_knn", "popularity"),
    "next_basket": ("item_knn", "popularity"),
    "similar": ("item_knn", "popularity"),
    "bundle": ("item_knn", "popularity"),
    "search": ("lexical", "popularity"),
}
MEMBERS = ("item_knn", "lexical", "popularity")


def planted_prepared(folder: Path, seed: int = 0) -> Prepared:
    """Save the planted shop as a prepared folder."""
    prepared = planted_shop(seed)
    prepared.events[c.PRICE] = 1.0
    prepared.save(folder)
    write_json(folder / "normaliser.json", {})
    return prepared


def small_release(root: Path, lead: float = 1.0, seed: int = 0, tasks: Collection[str] = tuple(TASKS)) -> Path:
    """Train, blend by hand (*lead* weighs the members that know the question) and package; returns the release."""
    prepared = planted_prepared(root / "prepared", seed)
    cut = prepared.split.test
    states, n_items = training_states(prepared, cut), len(prepared.items)
    history = HistoryWeights(clock=clock_of(prepared))
    folder = root / "members" / cut.members
    popularity = PopularityTrainer(PopularityConfig(), history)
    popularity.write(popularity.train(states, n_items), folder / "popularity")
    item_knn = ItemKnnTrainer(ItemKnnConfig(), history)
    item_knn.write(item_knn.train(states, n_items), folder / "item_knn")
    train_lexical(prepared.items, folder / "lexical")
    (root / "fusion").mkdir()
    fusion(lead, tasks).save(root / "fusion" / "fusion.json")
    write_json(root / "fusion" / "fit_report.json", {"effort": "fast"})
    package(root / "prepared", root / "embeddings", root / "fusion", [root / "members"], root / "release")
    return root / "release"


def fusion(lead: float, wanted: Collection[str]) -> Fusion:
    """For the tasks *wanted*: value of the first member of each task times *lead*, and a tenth of popularity's."""
    tasks = {}
    for task in wanted:
        first, second = TASKS[task]
        rows = {first: lead, second: 0.1}
        weights = tuple((rows.get(name, 0.0), *[0.0] * (len(FEATURES) - 1)) for name in MEMBERS)
        blend = Blend(kind="least_squares", members=MEMBERS, weights=weights)
        tasks[task] = TaskFusion(chosen="least_squares", methods={"least_squares": blend})
    return Fusion(tasks=tasks)


def run_folder(factory: pytest.TempPathFactory) -> Path:
    """The temporary folder of this test run, shared by its processes."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def live_store(root: Path) -> Path:
    """A store with the planted users' online features and a published release; made once under *root*.

    Customer `u07` is known under a pseudonym, as ingest would have it. Processes of one test run share it; tests
    that change it copy it first.
    """
    with (root / "live_store.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not (root / "live" / "store").exists():
            _build_store(root / "live")
    return root / "live" / "store"


def _build_store(work: Path) -> None:
    from components.deploy.publish import publish
    from components.materialize.online import materialize_online
    from components.materialize.run import materialize

    shutil.rmtree(work, ignore_errors=True)
    release = small_release(work)
    building = work / "building"
    prepared = Prepared.load(work / "prepared")
    prepared.users[c.USER_ID] = [pseudonym(user, id_key(building)) for user in prepared.users[c.USER_ID]]
    prepared.save(work / "prepared")
    materialize(work / "prepared", None, work / "features")
    materialize_online(work / "features", building)
    publish(release, building)
    os.rename(building, work / "store")
