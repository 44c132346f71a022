"""The planted shop's run as the pipeline leaves it: one folder a step, as the quality bench reads it."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
from evaluated_run import VISIT_4, evaluated_shop, make_run
from member_contract import DAY

from benchmarks.quality.measure import Finished
from components.common import columns as c
from components.common.prepared import Cut, Prepared
from components.materialize.behaviour import behaviour

PLACES = {
    "prepared": "prepare/prepared",
    "release": "package/release",
    "features": "materialize/features",
    "fusion": "fuse/fusion",
    "members": "train-cf/members",
}


def finished_run(root: Path) -> Finished:
    """Train, package and lay out below *root*; the members of the test also stand for those of a fit window."""
    shop = evaluated_shop()
    fit = Cut(name="fit_1", role="fit", members="final", as_of=VISIT_4 - 14 * DAY, until=VISIT_4)
    split = shop.split.model_copy(update={"cuts": (fit, *shop.split.cuts)})
    run = make_run(root / "run", Prepared(shop.events, shop.items, shop.users, split, shop.shop))
    _write_states(run.root / "features" / "states", fit, run.prepared)
    for name, place in PLACES.items():
        shutil.copytree(run.root / name, root / place)
    shutil.rmtree(run.root)
    return Finished(root)


def _write_states(folder: Path, cut: Cut, shop: Prepared) -> None:
    table = behaviour(shop.history(cut), shop.users[c.USER_ID], shop.items[c.ITEM_ID], {})
    pq.write_table(table.append_column(c.PROFILE, [["{}"] * len(table)]), folder / f"{cut.name}.parquet")
