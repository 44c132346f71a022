"""The planted shop with a test window that holds one new and one repeated item per user, packaged for real."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from member_contract import DAY, START, planted_shop

from components.common import columns as c
from components.common.files import write_json
from components.common.prepared import Cut, Prepared
from components.materialize.behaviour import behaviour
from components.package.run import package
from components.train_cf.histories import clock_of, training_states
from components.train_cf.item_knn import ItemKnnConfig, ItemKnnTrainer
from components.train_cf.popularity import PopularityConfig, PopularityTrainer
from components.train_text.lexical import train_lexical
from serving.blend import FEATURES, Blend, Fusion, TaskFusion
from serving.members.history import HistoryWeights

MEMBERS = ("item_knn", "lexical", "popularity")
LEAD = dict.fromkeys(("discovery", "next_basket", "similar", "bundle"), "item_knn") | {"search": "lexical"}
VISIT_4, VISIT_6 = (START + (visit * 14 - 1) * DAY for visit in (4, 6))


@dataclass(frozen=True)
class Run:
    """The folders of a run up to packaging."""

    root: Path

    @property
    def prepared(self) -> Prepared:
        return Prepared.load(self.root / "prepared")

    def pack(self, lead: float) -> Path:
        """Blend by hand (*lead* weighs the members that know the question) and package; returns the release."""
        fusion(lead).save(self.root / "fusion" / "fusion.json")
        prepared, embeddings, blends = (self.root / name for name in ("prepared", "embeddings", "fusion"))
        package(prepared, embeddings, blends, [self.root / "members"], self.root / "release")
        return self.root / "release"


def fusion(lead: float) -> Fusion:
    """For each task the calibrated value of the member that knows the question times *lead*, and some popularity."""
    tasks = {}
    for task, leader in LEAD.items():
        own = {leader: lead, "popularity": 0.1}
        weights = tuple((own.get(name, 0.0), *[0.0] * (len(FEATURES) - 1)) for name in MEMBERS)
        blend = Blend(kind="least_squares", members=MEMBERS, weights=weights)
        tasks[task] = TaskFusion(chosen="least_squares", methods={"least_squares": blend})
    return Fusion(tasks=tasks)


def make_run(root: Path, shop: Prepared) -> Run:
    """Train real members on *shop* and package them."""
    shop.events[c.PRICE] = 1.0
    shop.save(root / "prepared")
    write_json(root / "prepared" / "normaliser.json", {})
    cut = shop.split.test
    states, history = training_states(shop, cut), HistoryWeights(clock=clock_of(shop))
    folder = root / "members" / cut.members
    popularity, item_knn = PopularityTrainer(PopularityConfig(), history), ItemKnnTrainer(ItemKnnConfig(), history)
    popularity.write(popularity.train(states, len(shop.items)), folder / "popularity")
    item_knn.write(item_knn.train(states, len(shop.items)), folder / "item_knn")
    train_lexical(shop.items, folder / "lexical")
    (root / "features" / "states").mkdir(parents=True)
    table = behaviour(shop.history(cut), shop.users[c.USER_ID], shop.items[c.ITEM_ID], {})
    table = table.append_column(c.PROFILE, [["{}"] * len(table)])
    pq.write_table(table, root / "features" / "states" / "test.parquet")
    (root / "fusion").mkdir()
    write_json(root / "fusion" / "fit_report.json", {"effort": "fast", "tasks": {}})
    run = Run(root)
    run.pack(1.0)
    return run


def evaluated_shop() -> Prepared:
    """Members learn from visits 0 to 3; visit 4 is the one new item of each user's group, visit 5 a repeated one."""
    shop = planted_shop()
    test = Cut(name="test", role="test", members="final", as_of=VISIT_4, until=VISIT_6)
    split = shop.split.model_copy(update={"cuts": (test,), "repeats": True})
    return Prepared(shop.events, shop.items, shop.users, split, shop.shop)
