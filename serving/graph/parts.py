"""Which members a service of the graph holds: a part is a family of members, or one of them by its name."""

from collections.abc import Iterable
from pathlib import Path

from components.common.errors import ConfigError
from serving.catalogue import Catalogue
from serving.graph.question import Batch
from serving.graph.wire import packed
from serving.members.base import Member, load_members
from serving.release import verify


def part_of(member: Member, parts: Iterable[str]) -> str | None:
    """The part that speaks for a member: its own name before its family; None: nobody does."""
    named = set(parts)
    return next((part for part in (member.name, member.family) if part in named), None)


def check_parts(members: Iterable[Member], parts: Iterable[str]) -> None:
    """Every member needs a part.

    Raises:
        ConfigError: names the members that would never be asked.
    """
    named = list(parts)
    silent = [f"{one.name} (of {one.family})" for one in members if part_of(one, named) is None]
    if silent:
        raise ConfigError(
            f"--member: found {', '.join(named) or 'none'}; nobody speaks for {', '.join(silent)}. Name its family."
        )


class Part:
    """The members of one part of a release, alone in a process."""

    def __init__(self, release: str, n_items: int, members: dict[str, Member]) -> None:
        self.release, self.n_items, self.members = release, n_items, members

    @classmethod
    def load(cls, release: Path, part: str) -> "Part":
        """Verify every byte of the release, and load the members of *part*; a release may have none of it.

        Raises:
            ReleaseError: the release is damaged, or does not fit together.
        """
        manifest = verify(release)
        catalogue = Catalogue.load(release / "catalogue.parquet")
        members = load_members(release / "members", catalogue, lambda name, family: part in (name, family))
        return cls(manifest.release, len(catalogue), members)

    def scores(self, batches: Iterable[Batch]) -> tuple[list[dict[str, str]], dict[str, Exception]]:
        """For each batch, of the members here that it is put to, all their scores; and who failed, with its error."""
        told: list[dict[str, str]] = []
        failed: dict[str, Exception] = {}
        for batch in batches:
            said = {}
            for name in (name for name in batch.members if name in self.members):
                try:
                    said[name] = packed(self.members[name].score_all(batch.queries))
                except Exception as error:
                    failed[name] = error
            told.append(said)
        return told, failed
