"""How the weights of a task are fitted."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from components.fuse.choice import PLENTY
from components.fuse.methods import Method, methods
from components.fuse.stacker import SHAPES, Shape
from serving.blend import Blend

MAX_ROWS = 800_000


@dataclass(frozen=True)
class Options:
    """How to fit.

    folds: of the cross-fit by users or queries. max_rows: candidates to learn from at most. prior: a fixed blend to
    compete. seeds: models of the second level that serve; one of them stands trial, and for an absent member. shapes:
    of the trees, by method. only: methods that may be fitted; empty: all. absences: fit the chosen blend without each
    member, too. everyone: how many users the shop has, of whom the lists are a part; 0: the lists are all of them.
    plenty: lists that teach from which on the best method serves, with what reach and seats gain; see `choose`.
    """

    folds: int = 3
    max_rows: int = MAX_ROWS
    seed: int = 0
    prior: Blend | None = None
    seeds: int = 3
    shapes: Mapping[str, Shape] = field(default_factory=lambda: SHAPES)
    only: tuple[str, ...] = ()
    absences: bool = True
    everyone: int = 0
    plenty: float = PLENTY

    def methods(
        self,
        members: tuple[str, ...],
        pair: tuple[str, str] | None,
        moments: bool,
        serving: str = "",
        begin: Blend | None = None,
    ) -> dict[str, Method]:
        """The methods that may be fitted over *members*, all `seeds` of the one that is *serving*; see `methods`."""
        seeds = {serving: self.seeds, "attention": self.seeds if serving in ("attention", "ensemble") else 1}
        known = methods(members, pair, seeds, self.seed, moments, self.shapes, begin)
        return {name: method for name, method in known.items() if not self.only or name in self.only}
