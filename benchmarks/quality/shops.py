"""What the bench is run on: real shops, windows of their past, and shares of their users."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
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
CONVERTER = ROOT / "docs" / "examples" / "convert_amazon_sequences.py"


class Case(Config):
    """A shop, how it is split, and how much of it is run."""

    name: str
    source: str  # `complete-journey`, a folder of tables, or `amazon:` and a folder of sequences
    protocol: Protocol
    windows: int = 1  # test windows, each one window length earlier than the one before
    curve: tuple[float, ...] = ()  # shares of the users for the learning curve, the last one 1.0
    effort: Effort | None = None  # None: as the command says
    brief: bool = False  # members and blend only: nothing is taken away, no peer is asked


def known(name: str) -> Case:
    """One of the cases that need no folder of your own: `sports`, `sports_full` or `journey`.

    Raises:
        ConfigError: no such case, or CUVEE_TEST_DATA does not lead to the Sports sequences.
    """
    if name == "journey":
        return Case(name=name, source="complete-journey", protocol="temporal", windows=3)
    if name not in ("sports", "sports_full"):
        raise ConfigError(
            f"bench-quality: found case '{name}', expected sports, sports_full, journey or --data FOLDER."
        )
    folder = Path(os.environ.get(DATA_VARIABLE, "")) / "amazon_sports_seq"
    if not os.environ.get(DATA_VARIABLE) or not folder.is_dir():
        raise ConfigError(f"bench-quality: sports needs {DATA_VARIABLE}, the folder that holds amazon_sports_seq.")
    if name == "sports_full":
        return Case(name=name, source=f"amazon:{folder}", protocol="leave-one-out", effort="full", brief=True)
    return Case(name=name, source=f"amazon:{folder}", protocol="leave-one-out", curve=(0.1, 0.3, 1.0))


def tables(case: Case, out: Path) -> str:
    """What ingest is to read: the source itself, or the folder the sequences were converted to."""
    if not case.source.startswith("amazon:"):
        return case.source if case.source == "complete-journey" else str(Path(case.source).resolve())
    folder = (out / "shop").resolve()
    if not (folder / "shop.yaml").exists():
        source = case.source.removeprefix("amazon:")
        subprocess.run([sys.executable, str(CONVERTER), source, str(folder)], check=True, stdout=subprocess.DEVNULL)
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


def of_users(checked: Path, out: Path, share: float, seed: int) -> Path:
    """Checked tables with the events of a seeded share of the users; a larger share holds the smaller one."""
    if (out / SHOP_FILE).exists():
        return out
    events = pd.read_parquet(checked / EVENTS)
    users = events[c.USER_ID].unique()
    drawn = np.random.default_rng(seed).permutation(len(users))[: max(round(share * len(users)), 1)]
    return _write(checked, out, events[events[c.USER_ID].isin(users[drawn])], {})


def _write(checked: Path, out: Path, events: pd.DataFrame, changed: dict[str, float]) -> Path:
    shutil.copytree(checked, out, dirs_exist_ok=True, ignore=shutil.ignore_patterns(EVENTS, SHOP_FILE))
    events.to_parquet(out / EVENTS, index=False, coerce_timestamps="us")
    if (out / USERS).exists():
        users = pd.read_parquet(out / USERS)
        users[users[c.USER_ID].isin(events[c.USER_ID].unique())].to_parquet(out / USERS, index=False)
    write_json(out / SHOP_FILE, read_json(checked / SHOP_FILE) | changed)
    return out
