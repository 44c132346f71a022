"""Make a release smaller where its blend loses next to nothing by it, and write down what was measured."""

import logging
from collections.abc import Sequence
from pathlib import Path

from components.common.config import Smaller
from components.common.prepared import Cut, Prepared
from components.package.smaller import make_smaller, size_of
from components.package.student import distilled, leave_to, members_of, tried_student
from components.package.trial import Loss, Trial, tried
from serving.blend import Fusion
from serving.part import Part

log = logging.getLogger(__name__)
SMALLER_FILE = "smaller.json"


class Shrunk(Part):
    """What was asked for and what came of it.

    members: that are smaller now, or for `distilled` all that are left. Bytes: of the release's files as far as they
    were there. losses: by task and member.
    """

    asked: Smaller
    taken: bool
    why_not: str
    members: tuple[str, ...]
    bytes_before: int
    bytes_after: int
    losses: dict[str, dict[str, Loss]]


def shrink(shop: Prepared, families: Sequence[Path], fusion: Fusion, how: Smaller, release: Path) -> Shrunk:
    """Make *release* smaller, if the lists of the fit windows say so; writes smaller.json either way.

    Args:
        shop: the prepared shop.
        families: the families' folders, with the members of the fit windows.
        fusion: the blend that serves.
        how: the way.
        release: a folder with members/ and fusion.json, which are rewritten, and encoders, which a student leaves out.
    """
    trial, before = trial_of(shop, families, fusion, how, shop.split.fits), size_of(release)
    members = () if trial.why_not else _made(shop, families, fusion, how, release)
    found = Shrunk(
        asked=how,
        taken=not trial.why_not,
        why_not=trial.why_not,
        members=members,
        bytes_before=before,
        bytes_after=size_of(release),
        losses=trial.losses,
    )
    found.save(release / SMALLER_FILE)
    told = f"refused: {found.why_not}" if found.why_not else f"{before:,} -> {found.bytes_after:,} bytes"
    log.info("smaller %s: %s", how, told)
    return found


def trial_of(shop: Prepared, families: Sequence[Path], fusion: Fusion, how: Smaller, cuts: Sequence[Cut]) -> Trial:
    """What *how* loses on the lists of *cuts*."""
    if how == "distilled":
        return tried_student(shop, families, fusion, cuts)
    return tried(shop, families, fusion, how, cuts)


def _made(shop: Prepared, families: Sequence[Path], fusion: Fusion, how: Smaller, release: Path) -> tuple[str, ...]:
    """The members that are smaller now, or those that a student leaves."""
    if how != "distilled":
        return make_smaller(release / "members", how)
    student = distilled(shop, families, fusion, shop.split.fits)
    leave_to(student, release)
    return members_of(student)
