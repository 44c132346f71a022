"""Make a release smaller where its blend loses next to nothing by it, and write down what was measured."""

import logging
from collections.abc import Sequence
from pathlib import Path

from components.common.config import Smaller
from components.common.prepared import Prepared
from components.package.smaller import make_smaller, size_of
from components.package.trial import Loss, tried
from serving.blend import Fusion
from serving.part import Part

log = logging.getLogger(__name__)
SMALLER_FILE = "smaller.json"


class Shrunk(Part):
    """What was asked for and what came of it. Bytes are those of the members' files; losses: by task and member."""

    asked: Smaller
    taken: bool
    why_not: str
    members: tuple[str, ...]
    bytes_before: int
    bytes_after: int
    losses: dict[str, dict[str, Loss]]


def shrink(shop: Prepared, families: Sequence[Path], fusion: Fusion, how: Smaller, release: Path) -> Shrunk:
    """Make the members of *release* smaller, if the lists of the fit windows say so; writes smaller.json either way.

    Args:
        shop: the prepared shop.
        families: the families' folders, with the members of the fit windows.
        fusion: the blend that serves.
        how: the way.
        release: a folder with members/, which are rewritten.
    """
    trial = tried(shop, families, fusion, how, shop.split.fits)
    before = size_of(release / "members")
    members = () if trial.why_not else make_smaller(release / "members", how)
    found = Shrunk(
        asked=how,
        taken=not trial.why_not,
        why_not=trial.why_not,
        members=members,
        bytes_before=before,
        bytes_after=size_of(release / "members"),
        losses=trial.losses,
    )
    found.save(release / SMALLER_FILE)
    told = f"refused: {found.why_not}" if found.why_not else f"members {before:,} -> {found.bytes_after:,} bytes"
    log.info("smaller %s: %s", how, told)
    return found
