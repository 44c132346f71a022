"""What the bench is run on: real shops, windows of their past, and shares of their users."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.quality.steps import ROOT
from components.common import columns as c
from components.common.config import Config, Effort, Protocol, ShopConfig
from components.common.errors import ConfigError
from components.common.files import read_json, write_json
from components.common.moments import DAY, microseconds
from components.common.prepared import SHOP_FILE
from components.prepare.split import window_length

DATA_VARIABLE = "CUVEE_TEST_DATA"
EVENTS, USERS = "events.parquet", "users.parquet"
EXAMPLES = ROOT / "docs" / "examples"
CONVERTERS = {"amazon": "convert_amazon_sequences.py", "histories": "convert_amazon_histories.py"}
JOURNEY = "complete-journey"
NEWCOMERS = 0.3


class Case(Config):
    """A shop, how it is split, and how much of it is run."""

    name: str
    source: str  # `complete-journey`, a folder of tables, or a converter's name, a colon and what it reads
    protocol: Protocol
    windows: int = 1  # test windows, each one window length earlier than the one before
    curve: tuple[float, ...] = ()  # shares of the users for the learning curve, the last one 1.0
    effort: Effort | None = None  # None: as the command says
    brief: bool = False  # members and blend only: no single member is taken away, no peer is asked
    families: bool = True  # is the blend fitted again without each family of members
    newcomers: float = 0.0  # share of the users whose past is left out: nothing is known of them when they are asked

    @property
    def viewed(self) -> bool:
        """Are users judged as newcomers: those without a past, or under leave-one-out those whose past is hidden."""
        return bool(self.newcomers) or (self.protocol == "leave-one-out" and not self.brief)

    @property
    def public(self) -> bool:
        """Is it data that anyone can get."""
        return self.source == JOURNEY or self.source.partition(":")[0] in CONVERTERS


def known(name: str) -> Case:
    """One of the cases that need no folder of your own.

    `journey` and `sports` are what settings were chosen on, never by their tests. `office` and `industrial` are small
    shops with real texts that no setting was chosen on. `sports_full` is sports with full effort, `journey_newcomers`
    journey with many users of whom nothing is known but their profile.

    Raises:
        ConfigError: no such case, or CUVEE_TEST_DATA does not lead to its data.
    """
    cases = {
        "journey": Case(name=name, source=JOURNEY, protocol="temporal", windows=3),
        "journey_newcomers": Case(
            name=name, source=JOURNEY, protocol="temporal", brief=True, families=False, newcomers=NEWCOMERS
        ),
    }
    if name in cases:
        return cases[name]
    sequences, histories = "amazon:amazon_sports_seq", "histories:amazon_office_industrial_sequences/"
    cases = {
        "sports": _amazon(name, sequences, curve=(0.1, 0.3, 1.0)),
        "office": _amazon(name, f"{histories}Office_Products"),
        "industrial": _amazon(name, f"{histories}Industrial_and_Scientific"),
        "sports_full": _amazon(name, sequences, effort="full", brief=True),
    }
    if name not in cases:
        known_names = ", ".join(["journey", "journey_newcomers", *cases])
        raise ConfigError(f"bench-quality: found case '{name}', expected {known_names} or --data FOLDER.")
    folder = Path(cases[name].source.partition(":")[2]).parent
    if not os.environ.get(DATA_VARIABLE) or not folder.is_dir():
        raise ConfigError(f"bench-quality: {name} needs {DATA_VARIABLE}, the folder that holds {folder.name}.")
    return cases[name]


def _amazon(name: str, source: str, **more: Any) -> Case:
    kind, _, path = source.partition(":")
    whole = Path(os.environ.get(DATA_VARIABLE, "")) / path
    return Case(name=name, source=f"{kind}:{whole}", protocol="leave-one-out", **more)


def tables(case: Case, out: Path) -> str:
    """What ingest is to read: the source itself, or the folder that it was converted to."""
    kind, _, path = case.source.partition(":")
    if kind not in CONVERTERS:
        return case.source if case.source == JOURNEY else str(Path(case.source).resolve())
    folder = (out / "shop").resolve()
    if not (folder / "shop.yaml").exists():
        command = [sys.executable, str(EXAMPLES / CONVERTERS[kind]), path, str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return str(folder)


def earlier(checked: Path, out: Path, back: int) -> Path:
    """Checked tables as they were *back* windows before their end; the length of a window is fixed to the present one.

    Args:
        checked: a folder of checked tables.
        out: where the copy goes; an existing one is kept.
        back: how many windows to leave out, 0 = none.
    """
    if (out / SHOP_FILE).exists():
        return out
    events = pd.read_parquet(checked / EVENTS)
    shop = ShopConfig(**read_json(checked / SHOP_FILE))
    times = microseconds(events[c.TIMESTAMP])
    length = window_length(int(times.min()), int(times.max()), shop.window_days)
    return _write(checked, out, events[times <= times.max() - back * length], {"window_days": length / DAY})


def without_past(checked: Path, out: Path, share: float, seed: int) -> Path:
    """Tables of fixed window length in which a seeded share of the users has nothing before the newest window."""
    if (out / SHOP_FILE).exists():
        return out
    events = pd.read_parquet(checked / EVENTS)
    times = microseconds(events[c.TIMESTAMP])
    length = window_length(int(times.min()), int(times.max()), ShopConfig(**read_json(checked / SHOP_FILE)).window_days)
    tested = times > times.max() - length
    kept = tested | ~events[c.USER_ID].isin(_drawn(events, share, seed)).to_numpy()
    return _write(checked, out, events[kept], {})


def of_users(checked: Path, out: Path, share: float, seed: int) -> Path:
    """Checked tables with the events of a seeded share of the users; a larger share holds the smaller one."""
    if (out / SHOP_FILE).exists():
        return out
    events = pd.read_parquet(checked / EVENTS)
    return _write(checked, out, events[events[c.USER_ID].isin(_drawn(events, share, seed))], {})


def _drawn(events: pd.DataFrame, share: float, seed: int) -> npt.NDArray[np.object_]:
    users = events[c.USER_ID].unique()
    drawn = np.random.default_rng(seed).permutation(len(users))[: max(round(share * len(users)), 1)]
    return np.asarray(users[drawn])


def _write(checked: Path, out: Path, events: pd.DataFrame, changed: dict[str, float]) -> Path:
    shutil.copytree(checked, out, dirs_exist_ok=True, ignore=shutil.ignore_patterns(EVENTS, SHOP_FILE))
    events.to_parquet(out / EVENTS, index=False, coerce_timestamps="us")
    if (out / USERS).exists():
        users = pd.read_parquet(out / USERS)
        users[users[c.USER_ID].isin(events[c.USER_ID].unique())].to_parquet(out / USERS, index=False)
    write_json(out / SHOP_FILE, read_json(checked / SHOP_FILE) | changed)
    return out
