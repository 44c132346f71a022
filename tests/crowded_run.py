"""The planted shop with a fit window of enough lists, packaged for real; and made smaller."""

import shutil
from pathlib import Path

import pandas as pd
from evaluated_run import VISIT_4, VISIT_6, Run, evaluated_shop, make_run
from member_contract import USERS

from components.common import columns as c
from components.common.config import Smaller
from components.common.prepared import Cut, Prepared
from components.package.run import package
from components.package.shrink import SMALLER_FILE, Shrunk

TIMES = 3  # of the planted users, so that there are lists enough
FIT = Cut(name="fit_1", role="fit", members="fit_1", as_of=VISIT_4, until=VISIT_6)


def crowded_shop() -> Prepared:
    """The planted shop with every user TIMES over; what they came to want is a fit window's, the test is later."""
    shop = evaluated_shop()
    events = pd.concat([shop.events.assign(**{c.USER: shop.events[c.USER] + n * USERS}) for n in range(TIMES)])
    users = pd.concat([shop.users] * TIMES, ignore_index=True)
    users[c.USER_ID] = [f"u{n}" for n in range(len(users))]
    later = VISIT_6 - VISIT_4 + VISIT_6
    test = Cut(name="test", role="test", members="final", as_of=VISIT_6, until=later)
    split = shop.split.model_copy(update={"cuts": (FIT, test)})
    return Prepared(events.astype({c.USER: "int32"}), shop.items, users, split, shop.shop)


def crowded_run(root: Path) -> Run:
    """Members of the test have learned from all; those of the fit window are taught here from what was before it."""
    shop = crowded_shop()
    test = shop.split.test.model_copy(update={"as_of": VISIT_4, "members": "fit_1"})
    early = shop.split.model_copy(update={"cuts": (test,)})
    make_run(root / "early", Prepared(shop.events, shop.items, shop.users, early, shop.shop))
    run = make_run(root / "run", shop)
    shutil.copytree(root / "early" / "members" / "fit_1", run.root / "members" / "fit_1")
    return run


def packed(run: Run, how: Smaller) -> Shrunk:
    """Package *run* in the way *how*; what came of it."""
    root = run.root
    package(root / "prepared", root / "embeddings", root / "fusion", [root / "members"], root / "release", how)
    return Shrunk.load(root / "release" / SMALLER_FILE)
