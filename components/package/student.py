"""One small model that stands in for the blend: linear, over the few members that say most of what the blend says.

It learns from the blend, not from what users took (distillation): of every list of the fit windows it is to give the
candidate in place r 1 / log2(r + 1), as far as the blend's first HEAD places go. All second moments of the members'
features are collected in one pass; then members are added one by one, always the one with whom the least is left.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.common.prepared import Cut, Prepared
from components.common.ranking import Doubles, discounts
from components.package.trial import Trial, compared, engine_of, folders_of, lists_of, pools, worth
from serving.ads import CLICKS_FILE
from serving.arrays import top_k
from serving.blend import FEATURES, Blend, Fusion, TaskFusion
from serving.breadth import POPULARITY
from serving.calibration import MISSING, RRF, TOP, VALUE
from serving.engine import IMAGE_ENCODER, Engine
from serving.pool import Pool
from serving.ranking import judged

KIND = "distilled"
FUSION_FILE, ENCODERS = "fusion.json", ("encoder", IMAGE_ENCODER)
MEMBERS = 4  # of the student; each costs a request its time
HEAD = 100  # places of the blend that are learned from
USED = (VALUE, RRF, TOP, MISSING)
RIDGE = 1e-6  # of the mean square, so that what two members say alike has one answer


@dataclass
class Lesson:
    """Second moments of one task. gram, cross: of the USED features of *members* and a constant; target: of y alone."""

    members: tuple[str, ...]
    gram: Doubles
    cross: Doubles
    target: float
    rows: int

    @classmethod
    def of(cls, members: tuple[str, ...]) -> "Lesson":
        """Nothing learned yet."""
        width = len(members) * len(USED) + 1
        return cls(members, np.zeros((width, width)), np.zeros(width), 0.0, 0)

    def add(self, pool: Pool, blend: Blend) -> None:
        """Learn the lists that *blend* makes of *pool*."""
        wanted = _wanted(pool, blend)[pool.valid].astype(np.float64)
        told = pool.evidence.of(self.members).features[..., USED][pool.valid].reshape(len(wanted), -1)
        x = np.concatenate([told, np.ones((len(wanted), 1))], axis=1, dtype=np.float64)
        self.gram += x.T @ x
        self.cross += x.T @ wanted
        self.target += float(wanted @ wanted)
        self.rows += len(wanted)

    def solve(self, names: Sequence[str]) -> tuple[Doubles, float]:
        """(len(names), len(USED)) weights of the members *names*, and the share of the squares that they leave."""
        own = [self.members.index(name) for name in names]
        columns = [member * len(USED) + feature for member in own for feature in range(len(USED))] + [-1]
        gram, cross = self.gram[np.ix_(columns, columns)], self.cross[columns]
        held = gram + RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
        weights = np.linalg.solve(held, cross)
        left = self.target - 2 * cross @ weights + weights @ gram @ weights
        return weights[:-1].reshape(len(names), len(USED)), float(left / self.target) if self.target else 0.0


def distilled(
    shop: Prepared, families: Sequence[Path], fusion: Fusion, cuts: Sequence[Cut], most: int = MEMBERS
) -> Fusion:
    """The students of the recommending tasks, all of the same *most* members at most; taught on the lists of *cuts*."""
    lessons: dict[str, Lesson] = {}
    for cut in cuts:
        engine = engine_of(shop, folders_of(families, cut), fusion)
        for task, states, _ in lists_of(shop, engine, cut):
            for _, pool in pools(engine, states, task):
                lesson = lessons.setdefault(task, Lesson.of(pool.members))
                lesson.add(pool, fusion.blend(task))
    names = chosen(lessons, most)
    return Fusion(tasks={task: _student(lesson, names) for task, lesson in lessons.items()})


def tried_student(shop: Prepared, families: Sequence[Path], fusion: Fusion, cuts: Sequence[Cut]) -> Trial:
    """Rank the lists of *cuts* with the blend, and with a student taught on the other fit windows where there are any.

    See `components.package.trial.tried`.
    """
    found = []
    for cut in cuts:
        taught = [fit for fit in shop.split.fits if fit != cut] or list(shop.split.fits)
        student = distilled(shop, families, fusion, taught)
        whole = engine_of(shop, folders_of(families, cut), fusion)
        few = {name: member for name, member in whole.members.items() if name in members_of(student)}
        small = Engine(whole.catalogue, whole.shop, few, student)
        found.append((worth(shop, whole, cut), worth(shop, small, cut)))
    return compared(found)


def leave_to(student: Fusion, release: Path) -> None:
    """Leave of *release* what *student* takes: a release that recommends and answers nothing else."""
    for folder in sorted((release / "members").iterdir()):
        if folder.name not in members_of(student):
            shutil.rmtree(folder)
    for name in ENCODERS:
        shutil.rmtree(release / name, ignore_errors=True)
    (release / CLICKS_FILE).unlink(missing_ok=True)
    student.save(release / FUSION_FILE)


def chosen(lessons: dict[str, Lesson], most: int) -> tuple[str, ...]:
    """At most *most* members, popularity first: it answers who is not known. Always the one who leaves the least."""
    known = sorted({name for lesson in lessons.values() for name in lesson.members})
    names = [POPULARITY] if POPULARITY in known else []
    while len(names) < min(most, len(known)):
        rest = [name for name in known if name not in names]
        names.append(min(rest, key=lambda name: sum(_left(lesson, [*names, name]) for lesson in lessons.values())))
    return tuple(sorted(names))


def members_of(fusion: Fusion) -> tuple[str, ...]:
    """All members that any blend of *fusion* weighs."""
    blends = [fusion.blend(task) for task in fusion.tasks]
    return tuple(sorted({name for blend in blends for name in blend.members}))


def _left(lesson: Lesson, names: Sequence[str]) -> float:
    own = [name for name in names if name in lesson.members]
    return lesson.solve(own)[1] if own else 1.0


def _student(lesson: Lesson, names: Sequence[str]) -> TaskFusion:
    own = tuple(name for name in names if name in lesson.members)
    weights: npt.NDArray[np.float64] = np.zeros((len(own), len(FEATURES)))
    weights[:, USED] = lesson.solve(own)[0]
    blend = Blend(kind=KIND, members=own, weights=tuple(map(tuple, weights.tolist())))
    return TaskFusion(chosen=KIND, methods={KIND: blend})


def _wanted(pool: Pool, blend: Blend) -> Doubles:
    """(n, c) the discount of each candidate's place in the list of *blend*; 0 beyond HEAD and for padding."""
    total = np.where(pool.valid, judged(pool, blend).total, np.float32(-np.inf))
    best = top_k(total, HEAD)
    wanted = np.zeros(total.shape)
    rows, places = np.nonzero(best >= 0)
    wanted[rows, best[rows, places]] = discounts(HEAD)[places]
    return wanted
