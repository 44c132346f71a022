"""Assemble a release: the catalogue, the members, the encoder, the fusion and the rules, and the manifest last."""

import shutil
from pathlib import Path

import pandas as pd

from components.common import columns as c
from components.common.config import ShopConfig
from components.common.errors import ReleaseError
from components.common.files import read_json, write_json
from components.common.moments import microseconds
from components.common.prepared import ITEMS_FILE, SHOP_FILE, Prepared
from components.package.index import write_indexes
from components.package.shrink import shrink
from components.package.smaller import way_of
from components.package.smoke import smoke
from serving.ads import CLICKS_FILE
from serving.audience import AUDIENCE_FILE
from serving.blend import Fusion
from serving.campaigns import CAMPAIGNS_FILE
from serving.catalogue import Catalogue
from serving.engine import IMAGE_ENCODER, Engine
from serving.members.base import MEMBER_FILE
from serving.members.sentiment import SentimentOfItems
from serving.release import Facts, Manifest, write_manifest
from serving.rules.reading import RULES_FILE
from serving.rules.reading import save as save_rules
from serving.rules.schema import STANDARD
from serving.smoke import SMOKE_FILE

CATALOGUE_FILE, NORMALISER_FILE, FUSION_FILE = "catalogue.parquet", "normaliser.json", "fusion.json"
FIT_REPORT = "fit_report.json"


def package(
    prepared: Path, embeddings: Path, fusion: Path, members: list[Path], out: Path, smaller: str = "none"
) -> Manifest:
    """Make the release of a run.

    Args:
        prepared: the prepared shop.
        embeddings: holds `encoder/`, if the shop's texts were encoded, and `image_encoder/`, if its photos were.
        fusion: holds `fusion.json`.
        members: the families' folders; of each, the members trained for the test cut are taken.
        out: the release; emptied first.
        smaller: a way to keep it in fewer bytes, taken only where the blend loses next to nothing by it; see `shrink`.

    Returns:
        The manifest that was written.

    Raises:
        ReleaseError: no member was trained, two have one name, or a file is of a kind that no release holds.
        ConfigError: *smaller* names no way.
    """
    how = way_of(smaller)
    shop = Prepared.load(prepared)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for source, name in ((ITEMS_FILE, CATALOGUE_FILE), (SHOP_FILE, SHOP_FILE), (NORMALISER_FILE, NORMALISER_FILE)):
        _copy(prepared / source, out / name)
    _copy(fusion / FUSION_FILE, out / FUSION_FILE)
    for encoder in ("encoder", IMAGE_ENCODER):
        _copy_tree(embeddings / encoder, out / encoder)
    names = _copy_members(members, shop.split.test.members, out / "members")
    _note_sentiment(out)
    for name in (CLICKS_FILE, AUDIENCE_FILE):
        if (fusion / name).exists():
            _copy(fusion / name, out / name)
    _copy_campaigns(prepared, shop.split.test.as_of, out)
    if how != "none":
        shrink(shop, members, Fusion.load(out / FUSION_FILE), how, out)
        names = [name for name in names if (out / "members" / name).exists()]
    write_indexes(out / "members", Catalogue.load(out / CATALOGUE_FILE), shop)
    save_rules(STANDARD, out / RULES_FILE)
    fused = Fusion.load(out / FUSION_FILE)
    facts = _facts(shop, fusion, names, sorted(fused.tasks))
    write_json(out / SMOKE_FILE, smoke(_engine(out, fused, facts)))
    return write_manifest(out, facts)


def _facts(shop: Prepared, fusion: Path, names: list[str], tasks: list[str]) -> Facts:
    report = read_json(fusion / FIT_REPORT) if (fusion / FIT_REPORT).exists() else {}
    learned = microseconds(shop.train(shop.split.test)[c.TIMESTAMP])
    return Facts(
        protocol=shop.split.protocol,
        seed=shop.split.seed,
        effort=report.get("effort"),
        as_of=shop.split.last_event if len(shop.events) else None,
        trained_until=int(learned.max()) + 1 if len(learned) else None,
        tasks=tuple(tasks),
        members=tuple(names),
        items=len(shop.items),
    )


def _engine(release: Path, fusion: Fusion, facts: Facts) -> Engine:
    """The engine over what has been copied, before there is a manifest to load it by."""
    catalogue = Catalogue.load(release / CATALOGUE_FILE)
    shop = ShopConfig(**read_json(release / SHOP_FILE))
    engine = Engine.assemble(catalogue, shop, [release / "members"], release / "encoder", fusion)
    engine.as_of = facts.as_of or 0
    return engine


def _copy_members(families: list[Path], training: str, out: Path) -> list[str]:
    """Copy every member trained under the name *training*; sorted names."""
    names: list[str] = []
    for family in families:
        for described in sorted((family / training).glob(f"*/{MEMBER_FILE}")):
            name = described.parent.name
            if name in names:
                raise ReleaseError(f"package: two members are called '{name}'. Rename one of their folders.")
            names.append(name)
            _copy_tree(described.parent, out / name)
    if not names:
        found = ", ".join(str(family) for family in families)
        raise ReleaseError(f"package: found no member trained as '{training}' in {found}. Run the training stages.")
    return sorted(names)


def _note_sentiment(release: Path) -> None:
    """What reviews say of the items, as columns of the catalogue: rules and pages read items, not members."""
    folder = release / "members" / SentimentOfItems.kind
    if (folder / MEMBER_FILE).exists():
        member = SentimentOfItems.load(folder, Catalogue.load(release / CATALOGUE_FILE))
        noted = {c.SENTIMENT: member.opinions, c.REVIEWS: member.reviews}
        pd.read_parquet(release / CATALOGUE_FILE).assign(**noted).to_parquet(release / CATALOGUE_FILE, index=False)


def _copy_campaigns(prepared: Path, as_of: int | None, out: Path) -> None:
    """The campaigns that had not ended at the test's start: what is over offers nothing. Users are no part of it."""
    if (prepared / CAMPAIGNS_FILE).exists():
        table = pd.read_parquet(prepared / CAMPAIGNS_FILE)
        kept = table if as_of is None else table[microseconds(table[c.ENDS_AT]) > as_of]
        kept.to_parquet(out / CAMPAIGNS_FILE, index=False)


def _copy_tree(source: Path, target: Path) -> None:
    """Copy a folder's files as plain bytes; nothing if there is none."""
    for path in sorted(source.rglob("*")):
        if not path.is_dir():
            _copy(path, target / path.relative_to(source))


def _copy(source: Path, target: Path) -> None:
    if source.is_symlink():
        raise ReleaseError(f"package: {source} is a link. Put the file itself there.")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
