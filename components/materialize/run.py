"""materialize: a feature store of the run, and what it says of users at every cut."""

import hashlib
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq

from components.common import columns as c
from components.common.files import write_json
from components.common.prepared import Prepared
from components.common.stage import progress
from components.materialize.repo import apply
from components.materialize.sources import SOURCES_FOLDER, write_sources
from components.materialize.states import historical, questions
from serving.campaigns import TARGETS_FILE

FEATURES_FILE, STATES_FOLDER = "features.json", "states"


def materialize(prepared: Path, embeddings: Path | None, out: Path) -> dict[str, int]:
    """Write the Feast sources to *out*, apply the repository there, and save the point-in-time states of every cut.

    Returns:
        Number of users asked about per cut.

    Raises:
        CuveeError: Feast did not answer one row per user asked.
    """
    shop = Prepared.load(prepared)
    write_sources(shop, embeddings, out / SOURCES_FOLDER)
    if (prepared / TARGETS_FILE).exists():  # who is meant by campaigns is kept where users are, not in releases
        shutil.copyfile(prepared / TARGETS_FILE, out / SOURCES_FOLDER / TARGETS_FILE)
    feast = apply(out, scratch=True)
    (out / STATES_FOLDER).mkdir(exist_ok=True)
    users = {}
    for number, cut in enumerate(shop.split.cuts):
        asked = questions(shop, cut)
        states = historical(feast, asked, before=cut.as_of is not None)
        pq.write_table(states, out / STATES_FOLDER / f"{cut.name}.parquet")
        users[cut.name] = len(states)
        progress("materialize", number + 1, len(shop.split.cuts))
    facts = {"last_event": shop.split.last_event, "users": users, "vocabulary": vocabulary(shop)}
    write_json(out / FEATURES_FILE, facts)
    return users


def vocabulary(prepared: Prepared) -> str:
    """Digest of what gives a behaviour row its meaning besides the events: the catalogue and the event weights."""
    text = json.dumps([prepared.items[c.ITEM_ID].tolist(), prepared.shop.event_weights], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
