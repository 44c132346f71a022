"""What photos add to the deep member, by each way to read them: `make bench-photos`.

The shop is a bazaar whose truth is known: its photos show type, colour, pattern and brand, and its texts, brands and
attributes are taken away; the category stays. Of every fourth item nothing is known before the test window but
category and photo. One member is trained for each way and seed, with the same numbers otherwise, and ranks what users
took in the test window among the items they had not met: all of them, and the unknown ones alone. Simulated: it shows
that the ways work, not what they are worth to a shop.
"""

import argparse
import logging
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from components.common import columns as c
from components.common.files import write_json
from components.common.moments import microseconds
from components.common.prepared import Prepared
from components.common.ranking import ndcg_at
from components.encode.media import encode_media
from components.ingest.bazaar.config import BazaarConfig
from components.ingest.bazaar.run import write_bazaar
from components.ingest.run import ingest
from components.prepare.run import prepare
from components.train_cf.histories import training_states
from components.train_deep.export import export
from components.train_deep.fit import fit, material
from components.train_deep.histories import Entries
from components.train_deep.photos import ItemPhotos, check
from components.train_deep.run import begun
from serving.arrays import Bools, Floats, gather, top_k
from serving.catalogue import Catalogue
from serving.members.sequence import Sequence
from serving.queries import RECOMMEND, Queries

log = logging.getLogger("benchmarks")
WAYS = ("none", "vector", "cscnn", "deepfusion")
K, NORMAL, EVERY = 10, 1.96, 4  # every fourth item is unknown


def shop_of(users: int, items: int, work: Path, seed: int) -> tuple[Prepared, ItemPhotos]:
    """The prepared shop, silenced, with its photos encoded."""
    write_bazaar(BazaarConfig(users=users, items=items, seed=seed), work / "shop")
    ingest(str(work / "shop"), None, str(work / "store"), work / "tables")
    prepare(work / "tables", work / "prepared", "temporal", "fast", seed)
    shop = Prepared.load(work / "prepared")
    (work / "embeddings").mkdir()
    encode_media(shop.items.assign(**{c.AUDIO: "", c.VIDEO: ""}), "auto", work / "embeddings", seed)
    photos = ItemPhotos.load(work / "embeddings")
    assert photos is not None
    return silenced(shop), photos


def silenced(shop: Prepared) -> Prepared:
    """*shop* whose items say nothing but their category, every fourth of which nobody met before the test window."""
    bare = shop.items.assign(**{c.TITLE: "item", c.DESCRIPTION: "", c.BRAND: "", c.ATTRIBUTES: "{}"})
    bare[c.PRICE_NORM] = np.float32(0)
    at, begins = microseconds(shop.events[c.TIMESTAMP]), shop.split.test.as_of or 0
    kept = ~(unknown(len(bare))[shop.events[c.ITEM]] & (at < begins))
    return replace(shop, events=shop.events[kept].reset_index(drop=True), items=bare)


def unknown(n_items: int) -> Bools:
    """(n_items,) every fourth."""
    return np.asarray(np.arange(n_items) % EVERY == 0)


def trained(shop: Prepared, photos: ItemPhotos, way: str, seed: int, folder: Path) -> Sequence:
    """The member as it serves."""
    cut = shop.split.test
    entries = Entries.from_events(shop.train(cut), shop.split.target_events, len(shop.users))
    config = check(photos, begun(shop, entries, "fast", seed).model_copy(update={"photos": way}))
    learned = material(shop, cut, entries, np.zeros((len(shop.items), 1), np.float32), config, photos=photos)
    towers, chosen = fit(learned, config, lambda *_: None)
    export(towers, learned.known(chosen), chosen, folder)
    return Sequence.load(folder, Catalogue(shop.items))


def judged(member: Sequence, shop: Prepared, among: Bools) -> Floats:
    """(n_users,) NDCG@10 over the items *among* (n_items,) that a user had not met; NaN for users who took none."""
    states = training_states(shop, shop.split.test)
    target = shop.target(shop.split.test)
    wanted = np.zeros((len(shop.users), len(shop.items)), dtype=np.float32)
    wanted[target[c.USER], target[c.ITEM]] = 1
    wanted[states.row_of, states.items] = 0
    wanted[:, ~among] = 0
    scores = member.score_all(Queries(RECOMMEND, states))
    scores[states.row_of, states.items] = -np.inf
    scores[:, ~among] = -np.inf
    found = np.nan_to_num(gather(wanted, top_k(scores, K)))
    asked = wanted.any(axis=1) & (states.sizes > 0)
    values = ndcg_at(found, wanted.sum(axis=1).astype(np.int64), K)
    return np.where(asked, values, np.nan).astype(np.float32)


def measure(users: int, items: int, seeds: int) -> dict[str, object]:
    """NDCG@10 by way, means over seeds and users, and the paired difference to `none` with its 95% interval."""
    with tempfile.TemporaryDirectory() as work:
        shop, photos = shop_of(users, items, Path(work), 0)
        among = {"all": np.ones(len(shop.items), dtype=bool), "unknown": unknown(len(shop.items))}
        values: dict[str, dict[str, Floats]] = {}
        seconds = {}
        for way in WAYS:
            started = time.process_time()
            members = [trained(shop, photos, way, seed, Path(work) / f"{way}-{seed}") for seed in range(seeds)]
            seconds[way] = (time.process_time() - started) / seeds
            values[way] = {
                which: np.mean([judged(member, shop, mask) for member in members], axis=0)
                for which, mask in among.items()
            }
            log.info(_row(way, values, seconds[way]))
    rows = {way: {which: _gain(values, way, which) for which in among} for way in WAYS}
    return {"users": users, "items": items, "seeds": seeds, "ndcg@10": rows, "cpu_s": seconds}


def _gain(values: dict[str, dict[str, Floats]], way: str, which: str) -> dict[str, float]:
    own = values[way][which]
    asked = ~np.isnan(own)
    gain = (own - values["none"][which])[asked]
    error = NORMAL * float(gain.std()) / len(gain) ** 0.5
    mean = float(gain.mean())
    return {
        "ndcg": float(own[asked].mean()),
        "gain": mean,
        "low": mean - error,
        "high": mean + error,
        "users": len(gain),
    }


def _row(way: str, values: dict[str, dict[str, Floats]], seconds: float) -> str:
    cells = []
    for which in values[way]:
        found = _gain(values, way, which)
        cells.append(f"{found['ndcg']:.4f} | {found['gain']:+.4f} [{found['low']:+.4f}, {found['high']:+.4f}]")
    return f"| {way} | {' | '.join(cells)} | {seconds:.0f} |"


def main() -> None:
    """Measure, print a table and write photos.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=2000)
    parser.add_argument("--items", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel(logging.INFO)
    log.info("| photos | all items | gain | unknown items | gain | CPU s a training |\n|---|---|---|---|---|---|")
    found = measure(options.users, options.items, options.seeds)
    options.out.mkdir(parents=True, exist_ok=True)
    write_json(options.out / "photos.json", found)


if __name__ == "__main__":
    main()
