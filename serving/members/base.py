"""The contract every member of the blend keeps."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Literal

from components.common.files import read_json
from serving.arrays import Floats, Ints, gather
from serving.catalogue import Catalogue
from serving.glossary import Glossary
from serving.hidden import Hidden
from serving.opinion import Opinion
from serving.queries import Queries

MEMBER_FILE = "member.json"
Family = Literal["popularity", "cf", "deep", "text", "rules"]


class NotScoredError(Exception):
    """A member has nothing to say now, for a reason that was told already: the blend goes on without it."""


class Member(ABC):
    """Scores the catalogue for a batch of queries.

    A member's folder holds `member.json` ({"kind": ..., the member's numbers}) and its arrays (.npy, .npz
    without objects, .onnx). Scores: higher is better; NaN = not scored, never a silent zero. Batch = single: the
    row of a query does not depend on the other queries of its batch.
    """

    kind: ClassVar[str]
    family: ClassVar[Family]
    scenarios: ClassVar[frozenset[str]]
    weighs: ClassVar[frozenset[str]] = frozenset()  # scenarios in which it has a say on what others found, if weighted
    met_only: ClassVar[bool] = False  # scores only items the user has met: nothing to say where those are hidden
    recalls: ClassVar[bool] = True  # does it find candidates; False: it only weighs what others found
    name: str  # its folder's name

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> "Member":
        """Read the member written by its training stage."""

    @property
    def item_vectors(self) -> Floats | None:
        """(n_items, d) in which items that the same users take are alike; None: the member knows no such vectors."""
        return None

    @property
    def glossary(self) -> Glossary | None:
        """What Chinese words are called in the catalogue's English; None: the member does not know."""
        return None

    def passes_over(self, _text: str) -> float:
        """The share of a query's words that the member knows nothing of; 0 where it does not go by words."""
        return 0.0

    @abstractmethod
    def score_all(self, queries: Queries) -> Floats:
        """(n, n_items) float32 scores of the whole catalogue."""

    def ready(self) -> None:
        """Make what `opinion` needs beside what was read; asked once, when the catalogue is large."""
        return

    @property
    def prompt(self) -> bool:
        """Is `opinion` the quicker way in a catalogue of any size, not only in a large one."""
        return False

    def opinion(self, _queries: Queries, _hidden: Hidden) -> Opinion | None:
        """What it says of *queries* without scoring everything, *hidden* left out; None: it has to score everything."""
        return None

    def score(self, queries: Queries, candidates: Ints) -> Floats:
        """(n, c) scores at *candidates* (n, c; -1 is padding and scores NaN)."""
        return gather(self.score_all(queries), candidates)


def load_members(
    folder: Path, catalogue: Catalogue, wanted: Callable[[str, Family], bool] | None = None
) -> dict[str, Member]:
    """Load every member below *folder*, by the kind its `member.json` names; sorted by name.

    *wanted* says of a name and a family whether it is to be loaded; None: all are.
    """
    from serving.index import VectorIndex
    from serving.members import member_class  # late: the kinds import this module
    from serving.members.dense import Dense

    members: dict[str, Member] = {}
    for path in sorted(folder.glob(f"*/{MEMBER_FILE}")):
        name, kind = path.parent.name, member_class(read_json(path)["kind"])
        if wanted is None or wanted(name, kind.family):
            members[name] = member = kind.load(path.parent, catalogue)
            member.name = name
            if isinstance(member, Dense):
                member.index = VectorIndex.load_if_any(path.parent, len(catalogue))
    return members
